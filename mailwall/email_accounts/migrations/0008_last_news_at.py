from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("email_accounts", "0007_includes_subfolders"),
    ]

    operations = [
        migrations.AddField(
            model_name="emailaccount",
            name="last_news_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
