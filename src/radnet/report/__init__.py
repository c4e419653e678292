"""The page that shows what an archive held, what was kept, and how the labels came about."""
