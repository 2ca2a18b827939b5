"""Ranks and lists of the best from scores of the whole catalogue, in compiled code."""

from __future__ import annotations

import numpy as np

from src.kernels.compiling import inner


@inner
def rank_rows(scores, known, rows, targets, ranks, n_negatives):
    """Rank each target among what its user doesn't know, as `metrics.ranks` does.

    scores float32 and known bool [P, n_items]; rows, targets, ranks and n_negatives int64 [T], of
    which the last two are written.
    """
    for place in range(len(rows)):
        row = rows[place]
        score = scores[row, targets[place]]
        ahead, unknown = 0, 0
        for item in range(scores.shape[1]):
            free = not known[row, item]
            unknown += free
            ahead += free & (not scores[row, item] < score)
        ranks[place] = 1 + ahead
        n_negatives[place] = unknown
    return 0


@inner
def list_best(scores, left_out, kept, best):
    """Write each user's best items into best int64 [P, k], best first; -1 where there are no more.

    scores float32 and left_out bool [P, n_items]; kept float32 [k] is scratch. Of equal scores the
    first item comes first; what scores minus infinity, or no number, is not recommended.
    """
    k = best.shape[1]
    for row in range(scores.shape[0]):
        n, least = 0, np.float32(-np.inf)
        for item in range(scores.shape[1]):
            score = scores[row, item]
            if not score > least or left_out[row, item]:
                continue
            place = min(n, k - 1)
            while place > 0 and score > kept[place - 1]:
                kept[place], best[row, place] = kept[place - 1], best[row, place - 1]
                place -= 1
            kept[place], best[row, place] = score, item
            n = min(n + 1, k)
            if n == k:
                least = kept[k - 1]
        for place in range(n, k):
            best[row, place] = -1
    return 0
