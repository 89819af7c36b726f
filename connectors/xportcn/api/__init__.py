"""What each operation takes and answers: one module per group of the service's navigation."""
