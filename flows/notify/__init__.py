"""Messages to people: what a run or a batch has to say, put into the outbox."""
