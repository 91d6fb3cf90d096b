"""Passages found and questions refused, on the trial part of CMRC 2018.

The passages are its paragraphs, the questions those that people asked about them.  A
question's own paragraph should come first; it is refused where the best paragraph
covers too little of it.  Questions without an answer are the same ones, asked of the
paragraphs without their own.  The threshold is chosen on one half of the questions
and measured on the other.  The peer is bm25s (Lu 2024) over the same terms, with the
same k1 and b in Lucene's variant: the same scores, hence the same ranks.

The data set is fetched by name; ``LMBOOK_MIRROR`` names a place that has it.
"""

from importlib.metadata import version
from typing import Any

import bm25s
import numpy as np

from lmbook.applications.question_answering import THRESHOLD
from lmbook.applications.retrieval import (
    BM25,
    best_threshold,
    mean_reciprocal_rank,
    recall_at,
    terms,
    topic,
)
from lmbook.text.questions import Question, read_questions

CORPUS, PART = "cmrc2018", "trial"
THRESHOLDS = np.linspace(0, 1, 41)


def peer_ranks(questions: list[Question], passages: list[str], level: str) -> list[int]:
    """The place of each question's paragraph in the library's order."""
    index = bm25s.BM25(method="lucene", k1=1.5, b=0.75, dtype="float64")
    index.index([terms(text, level) for text in passages], show_progress=False)
    ranks = []
    for asked in questions:
        words = terms(asked.question, level)  # none: every paragraph is as far away
        scores = index.get_scores(words) if words else np.zeros(len(passages))
        own = passages.index(asked.context)
        ahead = scores > scores[own]
        ahead[:own] |= scores[:own] == scores[own]
        ranks.append(int(ahead.sum()) + 1)
    return ranks


def shares(
    index: BM25, questions: list[Question], passages: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """The best share of each question, with its paragraph there and without it."""
    known, unknown = [], []
    for asked in questions:
        found = index.search(topic(asked.question), topn=2)
        known.append(found[0].share if found else 0.0)
        own = passages.index(asked.context)
        others = [f.share for f in found if f.passage != own]
        unknown.append(max(others, default=0.0))
    return np.array(known), np.array(unknown)


def measured(
    questions: list[Question], passages: list[str], level: str
) -> dict[str, Any]:
    """Ranks, the library's ranks, and the trade-off, for one way of cutting."""
    index = BM25(level=level).fit(passages)
    places = [passages.index(asked.context) for asked in questions]
    asked = [question.question for question in questions]
    ranks = [index.rank(q, place) for q, place in zip(asked, places, strict=True)]
    known, unknown = shares(index, questions, passages)
    chosen = best_threshold(known[::2], unknown[::2])
    return {
        "level": level,
        "recall_at_1": round(recall_at(ranks), 4),
        "recall_at_5": round(recall_at(ranks, 5), 4),
        "mrr": round(mean_reciprocal_rank(ranks), 4),
        "peer_recall_at_1": round(recall_at(peer_ranks(questions, passages, level)), 4),
        "threshold": round(chosen, 3),
        "answered": round(float(np.mean(known[1::2] >= chosen)), 4),
        "refused": round(float(np.mean(unknown[1::2] < chosen)), 4),
        "answered_by_threshold": [
            round(float(np.mean(known >= t)), 4) for t in THRESHOLDS
        ],
        "refused_by_threshold": [
            round(float(np.mean(unknown < t)), 4) for t in THRESHOLDS
        ],
    }


def run() -> dict[str, Any]:
    """Both ways of cutting Chinese: characters, and jieba's words."""
    questions = read_questions(CORPUS, PART)
    passages = list(dict.fromkeys(question.context for question in questions))
    rows = [measured(questions, passages, level) for level in ("char", "word")]
    return {
        "what": "questions of CMRC 2018 (trial), their paragraphs the passages",
        "peer": f"bm25s {version('bm25s')}",
        "questions": len(questions),
        "passages": len(passages),
        "default_threshold": THRESHOLD,
        "thresholds": [round(float(t), 3) for t in THRESHOLDS],
        "levels": rows,
        "ratio": round(rows[1]["recall_at_1"] / rows[1]["peer_recall_at_1"], 4),
    }
