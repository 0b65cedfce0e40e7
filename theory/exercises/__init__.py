"""The exercises that end each note: one file of checkers a note."""
