"""The batch lane: jobs are collected, put into message batches, watched, and get their results."""
