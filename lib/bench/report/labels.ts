/** Places labels beside a plot so that none covers another. @module */

/**
 * Moves heights apart until neighbours are `gap` apart, as little as that takes, within `low` to `high`. The order of the
 * heights is kept.
 */
export function spread(heights: readonly number[], gap: number, low: number, high: number): number[] {
  const order = heights.map((_, i) => i).sort((a, b) => heights[a] - heights[b]);
  // Labels that touch form a block, which sits around the mean of what its members want.
  const blocks: { members: number[]; top: number }[] = [];
  for (const i of order) {
    blocks.push({ members: [i], top: heights[i] });
    while (blocks.length > 1) {
      const [above, below] = blocks.slice(-2);
      if (above.top + above.members.length * gap <= below.top) break;
      const members = [...above.members, ...below.members];
      blocks.splice(-2, 2, { members, top: blockTop(members, heights, gap) });
    }
  }
  const placed = Array.from(heights);
  let next = low;
  for (const { members, top } of blocks) {
    const start = Math.max(next, Math.min(top, high - (members.length - 1) * gap));
    members.forEach((i, n) => placed[i] = start + n * gap);
    next = start + members.length * gap;
  }
  // What was pushed below the end moves up again, from the last.
  let limit = high;
  for (const i of order.toReversed()) {
    placed[i] = Math.min(placed[i], limit);
    limit = placed[i] - gap;
  }
  return placed;
}

function blockTop(members: readonly number[], heights: readonly number[], gap: number): number {
  return members.reduce((sum, i, n) => sum + heights[i] - n * gap, 0) / members.length;
}
