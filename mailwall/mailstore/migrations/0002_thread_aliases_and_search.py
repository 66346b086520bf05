"""The table of thread aliases, and the search documents in the form of each database."""

from django.db import migrations, models

from mailwall.mailstore import search_index


def create_search_table(apps, schema_editor):
    search_index.create_table(schema_editor, search_index.MESSAGES)


def drop_search_table(apps, schema_editor):
    search_index.drop_table(schema_editor, search_index.MESSAGES)


class Migration(migrations.Migration):
    dependencies = [("mailstore", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="ThreadAlias",
            fields=[
                ("key", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("thread_key", models.CharField(db_index=True, max_length=32)),
            ],
        ),
        migrations.RunPython(create_search_table, drop_search_table),
    ]
