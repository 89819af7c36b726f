"""InternationalAlibaba: buying and browsing."""
