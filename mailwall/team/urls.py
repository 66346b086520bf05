"""Addresses of sign-in, set-up, profile and the admin pages of users and teams."""

from __future__ import annotations

from django.urls import include, path

from mailwall.team import admin_views, preferences, sign_in, views

ours = [
    path("setup/<str:token>/", views.setup, name="setup"),
    path("preferences/language", preferences.language, name="language"),
    path("preferences/theme", preferences.theme, name="theme"),
    path("settings/", views.settings, name="settings"),
    path("settings/profile/", views.profile, name="profile"),
    path("settings/profile/tokens/", views.create_token, name="token_new"),
    path("settings/profile/tokens/<int:token_id>/revoke", views.revoke_token, name="token_revoke"),
    path("settings/users/", admin_views.users, name="users"),
    path("settings/users/new/", admin_views.user_new, name="user_new"),
    path("settings/users/<int:user_id>/", admin_views.user_edit, name="user_edit"),
    path("settings/teams/", admin_views.teams, name="teams"),
    path("settings/teams/new/", admin_views.team_new, name="team_new"),
    path("settings/teams/<int:team_id>/", admin_views.team_edit, name="team_edit"),
    path("settings/workspace/", admin_views.workspace, name="workspace"),
]
# before allauth's own, which still give their names to its code
instead_of_allauth = [
    path("accounts/password/reset/", sign_in.password_reset),
    path("accounts/signup/", sign_in.closed),
    path("accounts/email/", sign_in.closed),
    path("accounts/password/set/", sign_in.closed),
    path("accounts/confirm-email/", sign_in.closed),
    path("accounts/confirm-email/<path:key>", sign_in.closed),
]
urlpatterns = [
    path("", include((ours, "team"))),
    *instead_of_allauth,
    path("accounts/", include("allauth.urls")),
]
