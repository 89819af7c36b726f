"""What a person or a schedule starts; one flow a file."""
