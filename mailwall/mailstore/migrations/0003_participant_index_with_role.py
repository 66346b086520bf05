"""The index by address holds the role: matching never reads the rows of participants."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("mailstore", "0002_thread_aliases_and_search")]

    operations = [
        migrations.RemoveIndex(model_name="participant", name="participant_by_address"),
        migrations.AddIndex(
            model_name="participant",
            index=models.Index(fields=["address", "message", "role"], name="participant_by_address"),
        ),
    ]
