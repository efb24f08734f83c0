"""What is measured. Each module has `measure` (rows, one by one), `tables` and `verdicts` (both pure, of rows)."""
