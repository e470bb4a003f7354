"""The example shops, walked as a customer."""
