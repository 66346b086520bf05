"""What notes are found by."""

from django.db import migrations

from mailwall.mailstore import search_index

NOTES = "wall_note_search"


def create_search_table(apps, schema_editor):
    search_index.create_table(schema_editor, NOTES)


def drop_search_table(apps, schema_editor):
    search_index.drop_table(schema_editor, NOTES)


class Migration(migrations.Migration):
    dependencies = [("wall", "0001_initial")]

    operations = [migrations.RunPython(create_search_table, drop_search_table)]
