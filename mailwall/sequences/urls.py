"""Addresses of this room's pages and fragments."""

from __future__ import annotations

from django.urls import path

from mailwall.sequences import admin_views, enrol_views, goodbye, pixel, side_views, step_views, views

app_name = "sequences"
urlpatterns = [
    path("sequences/", views.list_sequences, name="list"),
    path("sequences/new/", views.new_sequence, name="new"),
    path("sequences/choose/", enrol_views.choose_sequence, name="choose"),
    path("sequences/choose/go/", enrol_views.to_sequence, name="chosen"),
    path("tasks/", side_views.today, name="today"),
    path("sequences/contact/<int:contact_id>/", side_views.of_contact, name="contact"),
    path("sequences/tasks/<int:task_id>/", side_views.finish_task, name="task"),
    path("sequences/enrolments/<int:enrolment_id>/", views.change_enrolment, name="enrolment"),
    path("sequences/<int:sequence_id>/", views.show_sequence, name="sequence"),
    path("sequences/<int:sequence_id>/rules/", views.edit_rules, name="rules"),
    path("sequences/<int:sequence_id>/state/", views.change_state, name="state"),
    path("sequences/<int:sequence_id>/duplicate/", views.duplicate, name="duplicate"),
    path("sequences/<int:sequence_id>/archive/", views.archive, name="archive"),
    path("sequences/<int:sequence_id>/restore/", views.restore, name="restore"),
    path("sequences/<int:sequence_id>/pause-all/", views.pause_all, name="pause_all"),
    path("sequences/<int:sequence_id>/steps/", step_views.change_steps, name="steps"),
    path("sequences/<int:sequence_id>/steps/new/<str:kind>/", step_views.new_step, name="new_step"),
    path("sequences/<int:sequence_id>/steps/<int:key>/", step_views.edit_step, name="step"),
    path("sequences/<int:sequence_id>/enrol/", enrol_views.enrol, name="enrol"),
    path("sequences/<int:sequence_id>/preview/", enrol_views.preview_for_somebody, name="preview_any"),
    path("sequences/<int:sequence_id>/preview/<int:contact_id>/", enrol_views.show_preview, name="preview"),
    path("settings/sequences/", admin_views.suppressed, name="suppressed"),
    path("settings/sequences/<int:suppression_id>/lift/", admin_views.lift, name="lift"),
    path("settings/holidays/", admin_views.holidays, name="holidays"),
    path("settings/holidays/<int:holiday_id>/remove/", admin_views.remove_holiday, name="remove_holiday"),
    path("opened/<str:token>.gif", pixel.opened, name="opened"),
    path("settings/sequences/opens/", admin_views.opens_allowed, name="opens"),
    path("unsubscribe/<str:token>/", goodbye.unsubscribe, name="unsubscribe"),
]
