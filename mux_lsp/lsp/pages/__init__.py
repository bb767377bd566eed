"""Read-only documents: diffs, snapshots, transcripts, and the page of a run or a comparison."""
