"""Where boxes and arrows of a graph go: rows by the longest way from an input, arrows that pass a row kept clear of its boxes.

Source: Sugiyama, Tagawa and Toda, "Methods for Visual Understanding of Hierarchical System Structures", 1981; places within a row by
isotonic regression (Barlow et al., "Statistical Inference under Order Restrictions", 1972).
"""

GAP = 0.45  # inches between boxes
_TRACK = 0.09  # inches between arrows that run side by side
_LANE = 0.12  # inches that an arrow takes where it passes a row
_SWEEPS = 12


class Layout:
    """Places of boxes and arrows, in inches, y upwards.

    Args:
        sizes: (width, height) of each box, each box after those that it takes from.
        edges: (from, to), numbers of boxes.
        direction: "TB" from top to bottom, "BT", "LR", "RL".

    Attributes:
        centres: (x, y) of each box.
        routes: the points of each arrow, in the order of `edges`; between each two it runs straight along the direction, or across in between.
        width, height: of the whole.
    """

    def __init__(self, sizes, edges, direction="TB"):
        self.direction, sideways = direction, direction in ("LR", "RL")
        sizes = [(h, w) if sideways else (w, h) for w, h in sizes]  # (across, along)
        count = len(sizes)
        before = [[a for a, b in edges if b == i] for i in range(count)]
        row = []
        for i in range(count):
            row.append(max((row[a] + 1 for a in before[i]), default=0))
        after = [[row[b] for a, b in edges if a == i] for i in range(count)]
        for i in range(count):  # what takes from nothing stands just before it is used
            if not before[i] and after[i] and row[i] == 0:
                row[i] = min(after[i]) - 1
        self._points(count, edges, row, sizes)
        self._order()
        self._place()
        depth = [max((self.size[p][1] for p in points), default=0) for points in self.rows]
        lanes = self._lanes()
        gaps = [max(GAP, (lanes[i] + 1) * _TRACK * 1.2) for i in range(len(depth))]
        tops, at = [], GAP / 2
        for i, size in enumerate(depth):
            tops.append(at)
            at += size + gaps[i]
        self.breadth, self.length = max(self.x[p] + self.size[p][0] / 2 for p in range(len(self.x))) + GAP / 2, tops[-1] + depth[-1] + GAP / 2
        self.width, self.height = (self.length, self.breadth) if sideways else (self.breadth, self.length)
        self._middle = [tops[self.level[p]] + depth[self.level[p]] / 2 for p in range(len(self.x))]
        self.centres = [self._turned(self.x[i], self._middle[i]) for i in range(count)]
        self.routes = [self._route(chain, tops, depth, gaps) for chain in self.chains]

    def _points(self, count, edges, row, sizes):
        """Boxes, and a narrow point in each row that an arrow passes."""
        self.level, self.size, self.chains, self.links = list(row), list(sizes), [], []
        for a, b in edges:
            chain = [a]
            for level in range(row[a] + 1, row[b]):
                self.level.append(level)
                self.size.append((_LANE, 0))
                chain.append(len(self.level) - 1)
            chain.append(b)
            self.chains.append(chain)
            self.links.extend(zip(chain, chain[1:]))
        self.rows = [[p for p in range(len(self.level)) if self.level[p] == r] for r in range(max(self.level) + 1)]
        self.up, self.down = [[] for _ in self.level], [[] for _ in self.level]
        for a, b in self.links:
            self.up[b].append(a)
            self.down[a].append(b)

    def _order(self):
        """The points of a row by the middle of those that they are linked with."""
        place = {p: k for points in self.rows for k, p in enumerate(points)}
        best = None
        for sweep in range(_SWEEPS):
            downwards = sweep % 2 == 0
            for points in self.rows if downwards else self.rows[::-1]:
                near = self.up if downwards else self.down
                points.sort(key=lambda p: sum(place[q] for q in near[p]) / len(near[p]) if near[p] else place[p])
                place.update((p, k) for k, p in enumerate(points))
            crossings = sum(self._crossings(points, place) for points in self.rows)
            if best is None or crossings < best[0]:
                best = crossings, [list(points) for points in self.rows]
        self.rows = best[1]

    def _crossings(self, points, place):
        """How many arrows cross on the way from a row to the next; of very many, some."""
        links = [(place[a], place[b]) for a in points for b in self.down[a]][:400]
        return sum((a - c) * (b - d) < 0 for i, (a, b) in enumerate(links) for c, d in links[:i])

    def _place(self):
        """x of each point: near what it is linked with, boxes apart."""
        self.x = [0.0] * len(self.level)
        for points in self.rows:
            at = 0.0
            for p in points:
                self.x[p] = at + self.size[p][0] / 2
                at += self.size[p][0] + GAP / 2
        boxes = {p for p in range(len(self.level)) if self.size[p][1]}
        for sweep in range(3 * _SWEEPS):
            rows, near = (self.rows, self.up) if sweep % 2 == 0 else (self.rows[::-1], self.down)
            for points in rows:
                wanted, weight = [], []
                for p in points:
                    linked = near[p] or [p]
                    strength = [4 if p not in boxes and q not in boxes else 2 if p in boxes and q in boxes else 1 for q in linked]
                    wanted.append(sum(self.x[q] * s for q, s in zip(linked, strength)) / sum(strength))
                    weight.append(sum(strength) / len(strength) * (2 if p in boxes else 1))
                for p, x in zip(points, _apart(wanted, [self.size[p][0] for p in points], weight)):
                    self.x[p] = x
        left = min(self.x[p] - self.size[p][0] / 2 for p in range(len(self.x)))
        self.x = [x - left + GAP / 2 for x in self.x]

    def _lanes(self):
        """How many arrows run across below each row; and a track for each box that they come from."""
        self._tracks = {}
        count = []
        for points in self.rows:
            bent = [p for p in points if any(abs(self.x[p] - self.x[q]) > 0.02 for q in self.down[p])]
            self._tracks.update((p, k - (len(bent) - 1) / 2) for k, p in enumerate(bent))
            count.append(len(bent))
        return count

    def _turned(self, across, along):
        if self.direction == "TB":
            return across, self.length - along
        if self.direction == "BT":
            return across, along
        return (along if self.direction == "LR" else self.length - along), self.breadth - across

    def _route(self, chain, tops, depth, gaps):
        points = []
        for k, (a, b) in enumerate(zip(chain, chain[1:])):
            level = self.level[a]
            half = self.size[a][1] / 2
            start = self._middle[a] + half if k == 0 else tops[level] + depth[level]
            stop = self._middle[b] - self.size[b][1] / 2 if b == chain[-1] else tops[level + 1]
            xa, xb = self.x[a], self.x[b] if abs(self.x[a] - self.x[b]) > 0.02 else self.x[a]
            points.append((xa, start))
            if xa != xb:
                turn = tops[level] + depth[level] + gaps[level] / 2 + self._tracks.get(a, 0) * _TRACK
                points += [(xa, turn), (xb, turn)]
            points.append((xb, stop))
        kept = [p for i, p in enumerate(points) if i in (0, len(points) - 1) or not (points[i - 1][0] == p[0] == points[i + 1][0])]
        return [self._turned(*p) for p in kept]


def _apart(wanted, widths, weights):
    """Places nearest to those wanted (least squares) in the given order, no two nearer than their widths and a gap."""
    offsets = [0.0]
    for a, b in zip(widths, widths[1:]):
        offsets.append(offsets[-1] + (a + b) / 2 + GAP / 2)
    blocks = []  # (mean, weight, how many)
    for x, offset, weight in zip(wanted, offsets, weights):
        blocks.append((x - offset, weight, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (m, v, n), (k, w, c) = blocks[-2:]
            blocks[-2:] = [((m * v + k * w) / (v + w), v + w, n + c)]
    found = [mean for mean, _, count in blocks for _ in range(count)]
    return [x + offset for x, offset in zip(found, offsets)]
