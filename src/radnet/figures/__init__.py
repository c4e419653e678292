"""Pictures from arrays and tables: pure functions that return drawings, SVG text or PNG bytes."""
