"""The Python API, as `import seq2see` shows it."""
