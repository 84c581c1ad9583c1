"""Enough of PromQL to look at queries: a tree of nodes. promtool says whether a query is valid; this is for the lint.

A node is a Node with a kind:
    vector     name, matchers {label: (operator, value)}, range (text of [...] or None)
    call       name, arguments
    aggregate  name, arguments, labels (set) and grouping ("by", "without" or None)
    binary     operator, arguments (two), matching (True with on, ignoring or group_*)
    number, string, subquery (arguments: one)
"""
import re

AGGREGATORS = {"sum", "min", "max", "avg", "count", "stddev", "stdvar", "topk", "bottomk", "quantile", "group"}
PRECEDENCE = [{"or"}, {"and", "unless"}, {"==", "!=", "<", "<=", ">", ">="}, {"+", "-"}, {"*", "/", "%"}, {"^"}]
_TOKEN = re.compile(r"""\s*(?:(?P<number>\d+(?:\.\d+)?(?:e-?\d+)?(?![\w.:]))|(?P<duration>\d+(?:ms|[smhdwy]))
    |(?P<name>[A-Za-z_:$][\w:$]*)|(?P<string>"(?:[^"\\]|\\.)*")|(?P<symbol>=~|!~|==|!=|<=|>=|[-+*/%^(){}\[\],=<>]))""", re.VERBOSE)


class Node:
    def __init__(self, kind, name="", arguments=(), **more):
        self.kind, self.name, self.arguments = kind, name, list(arguments)
        self.__dict__.update(more)

    def walk(self, parents=()):
        """Every node below and itself, each with its parents, outermost first."""
        yield self, parents
        for child in self.arguments:
            yield from child.walk((*parents, self))


class Parser:
    def __init__(self, text):
        self.tokens, at = [], 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if not found:
                raise ValueError(f"cannot read {text[at:at + 20]!r}")
            self.tokens.append((found.lastgroup, found.group(found.lastgroup)))
            at = found.end()
        self.at = 0

    def peek(self, *texts):
        return self.at < len(self.tokens) and (not texts or self.tokens[self.at][1] in texts)

    def take(self, *texts):
        if not self.peek(*texts):
            raise ValueError(f"expected {' or '.join(texts) or 'more'} at token {self.at}")
        self.at += 1
        return self.tokens[self.at - 1]

    def whole(self):
        tree = self.binary(0)
        if self.peek():
            raise ValueError(f"did not expect {self.tokens[self.at][1]!r}")
        return tree

    def binary(self, level):
        if level == len(PRECEDENCE):
            return self.unary()
        left = self.binary(level + 1)
        while self.peek(*PRECEDENCE[level]):
            operator, matching = self.take()[1], False
            while self.peek("on", "ignoring", "group_left", "group_right", "bool"):
                matching = self.take()[1] != "bool" or matching
                if self.peek("(") and matching:
                    self.labels()
            left = Node("binary", operator, [left, self.binary(level + 1)], matching=matching)
        return left

    def unary(self):
        if self.peek("-", "+"):
            self.take()
        tree = self.primary()
        while self.peek("[", "offset"):
            if self.take()[1] == "offset":
                self.take()
                continue
            text = ""
            while not self.peek("]"):
                text += self.take()[1]
            self.take("]")
            if tree.kind == "vector":
                tree.range = text
            else:
                tree = Node("subquery", text, [tree])
        return tree

    def primary(self):
        kind, text = self.take()
        if kind in ("number", "string"):
            return Node(kind, text)
        if text == "(":
            tree = self.binary(0)
            self.take(")")
            return tree
        if kind != "name":
            raise ValueError(f"did not expect {text!r}")
        if text in AGGREGATORS and self.peek("(", "by", "without"):
            return self.aggregate(text)
        if self.peek("("):
            return Node("call", text, self.parenthesised())
        if text.startswith("$"):
            return Node("number", text)
        return Node("vector", text, matchers=self.matchers(), range=None)

    def aggregate(self, name):
        grouping, labels = self.grouping()
        arguments = self.parenthesised()
        if grouping is None:
            grouping, labels = self.grouping()
        return Node("aggregate", name, arguments, grouping=grouping, labels=labels)

    def grouping(self):
        return (self.take()[1], self.labels()) if self.peek("by", "without") else (None, set())

    def labels(self):
        found = set()
        self.take("(")
        while not self.peek(")"):
            found.add(self.take()[1])
            if self.peek(","):
                self.take()
        self.take(")")
        return found

    def parenthesised(self):
        arguments = []
        self.take("(")
        while not self.peek(")"):
            arguments.append(self.binary(0))
            if self.peek(","):
                self.take()
        self.take(")")
        return arguments

    def matchers(self):
        found = {}
        if not self.peek("{"):
            return found
        self.take("{")
        while not self.peek("}"):
            label, operator, value = self.take()[1], self.take("=", "!=", "=~", "!~")[1], self.take()[1]
            found[label] = (operator, value[1:-1])
            if self.peek(","):
                self.take()
        self.take("}")
        return found


def parse(text):
    return Parser(text).whole()
