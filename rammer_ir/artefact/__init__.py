"""Compiled programs as files: docs/artefact.md describes the format."""
