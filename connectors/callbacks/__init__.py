"""Stores the service's callbacks: durable before the answer, processed later, never
believed.
"""
