"""Addresses of this room's pages."""

from __future__ import annotations

from django.urls import path

from mailwall.sync import connecting, folder_views, history_views, ledger_views, never_import, views

app_name = "sync"
BASE = "settings/email-accounts/"
urlpatterns = [
    path(BASE, views.accounts, name="accounts"),
    path(f"{BASE}new/", connecting.account_new, name="account_new"),
    path(f"{BASE}new/test/", connecting.account_test, name="account_new_test"),
    path(f"{BASE}provider/", connecting.provider, name="provider"),
    path(f"{BASE}readers/", connecting.readers, name="readers"),
    path(f"{BASE}download/", views.download_all, name="download_all"),
    path(f"{BASE}health/", views.health, name="health"),
    path(f"{BASE}ignored-senders/", never_import.never_import, name="never_import"),
    path(f"{BASE}ignored-senders/<int:rule_id>/remove/", never_import.remove_rule, name="remove_rule"),
    path(f"{BASE}<int:account_id>/", connecting.account_edit, name="account_edit"),
    path(f"{BASE}<int:account_id>/access/", connecting.account_access, name="account_access"),
    path(f"{BASE}<int:account_id>/row/", views.account_row, name="account_row"),
    path(f"{BASE}<int:account_id>/test/", connecting.account_test, name="account_test"),
    path(f"{BASE}<int:account_id>/download/", views.account_download, name="account_download"),
    path(f"{BASE}<int:account_id>/pause/", views.account_pause, name="account_pause"),
    path(f"{BASE}<int:account_id>/resume/", views.account_resume, name="account_resume"),
    path(f"{BASE}<int:account_id>/reactivate/", views.account_reactivate, name="account_reactivate"),
    path(f"{BASE}<int:account_id>/default/", views.account_default, name="account_default"),
    path(f"{BASE}<int:account_id>/sending/", views.account_sending, name="account_sending"),
    path(f"{BASE}<int:account_id>/delete/", views.account_delete, name="account_delete"),
    path(f"{BASE}<int:account_id>/history/", history_views.account_history, name="account_history"),
    path(f"{BASE}<int:account_id>/history/estimate/", history_views.history_estimate, name="history_estimate"),
    path(f"{BASE}<int:account_id>/history/skipped/", history_views.history_skipped, name="history_skipped"),
    path(f"{BASE}<int:account_id>/history/pause/", history_views.history_pause, name="history_pause"),
    path(f"{BASE}<int:account_id>/history/resume/", history_views.history_resume, name="history_resume"),
    path(f"{BASE}<int:account_id>/history/stop/", history_views.history_stop, name="history_stop"),
    path(f"{BASE}<int:account_id>/ledger/", ledger_views.account_ledger, name="account_ledger"),
    path(f"{BASE}<int:account_id>/ledger/retry/", ledger_views.ledger_retry, name="ledger_retry"),
    path(f"{BASE}<int:account_id>/missing/", ledger_views.account_missing, name="account_missing"),
    path(f"{BASE}<int:account_id>/activity/", folder_views.account_activity, name="account_activity"),
    path(f"{BASE}<int:account_id>/folders/", folder_views.account_folders, name="account_folders"),
    path(f"{BASE}<int:account_id>/folders/<int:folder_id>/again/", ledger_views.folder_again, name="folder_again"),
    path("mail/failed/<int:entry_id>/original.eml", ledger_views.ledger_original, name="ledger_original"),
    path("settings/workspace/package/", views.package_effect, name="package_effect"),
    path("mail/<int:message_id>/attachments/<int:attachment_id>/", views.attachment, name="attachment"),
    path("mail/<int:message_id>/attachments.zip", views.all_attachments, name="all_attachments"),
    path("mail/<int:message_id>/original.eml", views.original, name="original"),
]
