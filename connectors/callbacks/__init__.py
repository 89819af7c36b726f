"""What the service posts to us, kept: durable before it is answered, acted on later, never believed."""
