"""What a step runs on: resources, tries, progress, and the queue between steps."""
