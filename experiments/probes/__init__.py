"""What experiments measure of a trained critic, beside what the library estimates from it."""
