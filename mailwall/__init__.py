"""Mailwall: mail from connected accounts becomes the history of contacts."""
