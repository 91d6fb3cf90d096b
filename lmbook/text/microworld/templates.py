"""Templates with slots and variants: written forwards, read backwards.

``[{t} , {p}|{p} {t}]:3,1 {do:v,z} {of:o,n} .`` has words, pieces ``{form:variables}``
(a form of lexicon.py; ``=go`` is a fixed verb) and variants with weights.  The same
graph of nodes writes a text from the variables and finds the variables of a text.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate, product
from typing import Any

from lmbook.text.microworld.lexicon import CHINESE, ENGLISH, VERBS, Word

Env = dict[str, Any]  # variables and their words; "it": whom a pronoun would mean
Domains = dict[str, list[Word]]
PIECE = re.compile(r"\[|\](?::[\d,]+)?|\||\{[^}]*\}|[^\s\[\]|{}]+")
PRONOUN = 0.7  # how often a pronoun is used where it may be
TABLES: dict[tuple, dict] = {}


@dataclass
class Literal:
    written: str  # tokens, each followed by a space
    read: str
    next: "Node"


@dataclass
class Piece:
    """What some variables look like in one form."""

    form: str
    variables: list[str]
    fixed: list[Word]
    domains: Domains
    language: str
    next: "Node"
    written: dict[tuple, str] = field(default_factory=dict)
    tables: dict[tuple, dict] = field(default_factory=dict)

    def write(self, env: Env) -> str:
        values = tuple([env[name] for name in self.variables])
        text = self.written.get(values)
        if text is None:
            text = self.written[values] = self.surface(values)
        return text

    def surface(self, values: tuple) -> str:
        forms = CHINESE if self.language == "zh" else ENGLISH
        text = forms[self.form](*self.fixed, *values)
        return text + " " if text else ""

    def read(self, text: str, at: int, env: Env) -> Iterator[tuple[int, Env]]:
        """Every way in which the text goes on with this piece."""
        unbound = tuple(name for name in self.variables if name not in env)
        table = self.tables.get(unbound)
        if table is None:
            table = self.tables[unbound] = self._table(unbound)
        bound = tuple([env[name] for name in self.variables if name in env])
        lengths, surfaces = table.get(bound, ((), {}))
        for length in lengths:
            for values in surfaces.get(text[at : at + length], ()):
                new = (
                    env
                    if not unbound
                    else env | dict(zip(unbound, values, strict=True))
                )
                yield at + length, new

    def _table(self, unbound: tuple[str, ...]) -> dict:
        """For each value of the bound variables: surface -> values of the others."""
        domains = [self.domains[name] for name in self.variables]
        key = (self.language, self.form, *self.fixed, tuple(map(tuple, domains)))
        key += tuple(name in unbound for name in self.variables)
        if key in TABLES:
            return TABLES[key]
        table: dict[tuple, dict[str, list[tuple]]] = {}
        for values in product(*domains):
            pairs = list(zip(self.variables, values, strict=True))
            bound = tuple(value for name, value in pairs if name not in unbound)
            free = tuple(value for name, value in pairs if name in unbound)
            surface = readable(self.surface(values), self.language)
            table.setdefault(bound, {}).setdefault(surface, []).append(free)
        found = {b: (sorted({*map(len, s)}), s) for b, s in table.items()}
        TABLES[key] = found
        return found


@dataclass
class Who:
    """A person by name, or by a pronoun where ``env["it"]`` is that person."""

    variable: str
    name: Piece
    pronoun: Piece


@dataclass
class Variants:
    options: list["Node"]
    log_weights: list[float]
    cumulative: list[float]


Node = Literal | Piece | Who | Variants | None
LOG_PRONOUN, LOG_NAME = math.log(PRONOUN), math.log(1 - PRONOUN)


def readable(written: str, language: str) -> str:
    return written.replace(" ", "") if language == "zh" else written


def compile_template(template: str, domains: Domains, language: str) -> Node:
    parts = PIECE.findall(template)
    parts.reverse()
    tree = _parsed(parts)
    assert not parts, template
    return _linked(tree, None, domains, language)


def _parsed(parts: list[str]) -> list:
    """A list of words, pieces and lists of weighted variants."""
    sequence: list = []
    variants: list = []
    while parts:
        part = parts.pop()
        if part == "[":
            sequence.append(_parsed(parts))
        elif part == "|":
            variants.append(sequence)
            sequence = []
        elif part[0] == "]":
            variants.append(sequence)
            weights = [float(x) for x in part[2:].split(",") if x] or [1.0] * len(
                variants
            )
            return list(zip(weights, variants, strict=True))
        else:
            sequence.append(part)
    return sequence


def _linked(sequence: list, after: Node, domains: Domains, language: str) -> Node:
    for part in reversed(sequence):
        if isinstance(part, list):
            total = math.fsum(weight for weight, _ in part)
            options = [
                _linked(variant, after, domains, language) for _, variant in part
            ]
            shares = [weight / total for weight, _ in part]
            after = Variants(options, [*map(math.log, shares)], [*accumulate(shares)])
        elif part[0] == "{":
            form, _, names = part[1:-1].rpartition(":")
            fixed = [
                VERBS[n[1:].replace("_", " ")] for n in names.split(",") if n[0] == "="
            ]
            variables = [n for n in names.split(",") if n[0] != "="]
            made = [
                Piece(f, variables, fixed, domains, language, after)
                for f in (("", "he") if form == "who" else (form,))
            ]
            after = Who(variables[0], made[0], made[1]) if form == "who" else made[0]
        elif isinstance(after, Literal):
            text = part + " "
            after = Literal(
                text + after.written, readable(text, language) + after.read, after.next
            )
        else:
            after = Literal(part + " ", readable(part + " ", language), after)
    return after


def write(node: Node, env: Env, random: Any) -> tuple[str, float]:
    """The text, a space after each token, and the log-probability of its style."""
    out, log_prob = [], 0.0
    while node is not None:
        if isinstance(node, Literal):
            out.append(node.written)
            node = node.next
        elif isinstance(node, Piece):
            out.append(node.write(env))
            node = node.next
        elif isinstance(node, Variants):
            number, drawn = 0, random()
            while drawn >= node.cumulative[number] and number < len(node.options) - 1:
                number += 1
            log_prob += node.log_weights[number]
            node = node.options[number]
        else:
            piece = node.name
            if env.get("it") is env[node.variable]:
                shortened = random() < PRONOUN
                log_prob += LOG_PRONOUN if shortened else LOG_NAME
                piece = node.pronoun if shortened else piece
            out.append(piece.write(env))
            node = piece.next
    return "".join(out), log_prob


Found = tuple[Env, float, str]  # variables, log-probability of the style, tokens


def read(node: Node, text: str, env: Env, at: int = 0) -> Iterator[Found]:
    """Every way to read all of the text as this template."""
    if node is None:
        if at == len(text):
            yield env, 0.0, ""
    elif isinstance(node, Literal):
        if text.startswith(node.read, at):
            yield from _after(
                node.written, 0.0, node.next, text, env, at + len(node.read)
            )
    elif isinstance(node, Piece):
        for end, new in node.read(text, at, env):
            yield from _after(node.write(new), 0.0, node.next, text, new, end)
    elif isinstance(node, Variants):
        for option, log_weight in zip(node.options, node.log_weights, strict=True):
            yield from _after("", log_weight, option, text, env, at)
    else:
        meant = env.get("it")
        for end, new in node.name.read(text, at, env):
            cost = LOG_NAME if new[node.variable] is meant else 0.0
            yield from _after(
                node.name.write(new), cost, node.name.next, text, new, end
            )
        if meant is not None:
            new = env | {node.variable: meant}
            word = node.pronoun.write(new)
            shown = readable(word, node.pronoun.language)
            if text.startswith(shown, at) and env.get(node.variable, meant) is meant:
                after = node.pronoun.next
                yield from _after(word, LOG_PRONOUN, after, text, new, at + len(shown))


def _after(
    word: str, cost: float, node: Node, text: str, env: Env, at: int
) -> Iterator[Found]:
    for found, log_prob, rest in read(node, text, env, at):
        yield found, cost + log_prob, word + rest
