"""Writes all generated files."""

from client.generator.files import written
from client.generator.reading import Reading

if __name__ == "__main__":
    for file, text in written(Reading()).items():
        file.write_text(text, encoding="utf-8")
