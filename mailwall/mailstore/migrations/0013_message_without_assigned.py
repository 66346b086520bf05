"""The mark of unassigned messages left for assignment_unassigned (assignment 0004, docs/adr/0016)."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('mailstore', '0012_compress_with_lz4'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='message',
            name='message_by_mark',
        ),
        migrations.RemoveIndex(
            model_name='message',
            name='message_unassigned',
        ),
        migrations.RemoveField(
            model_name='message',
            name='assigned',
        ),
    ]
