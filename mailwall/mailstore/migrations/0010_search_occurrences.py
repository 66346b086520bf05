from django.db import migrations

from mailwall.mailstore import search_index


def create(apps, schema_editor):
    search_index.create_occurrences(schema_editor)


def drop(apps, schema_editor):
    search_index.drop_occurrences(schema_editor)


class Migration(migrations.Migration):
    dependencies = [("mailstore", "0009_message_odd_date")]

    operations = [migrations.RunPython(create, drop)]
