"""Programs for those who maintain this repository."""
