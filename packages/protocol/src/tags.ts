/** The tags of a subscription as RocketMQ writes it: `*` for all, or `TagA || TagB`. */

/** The tags, each once, in the order they stand; none when the expression takes every message. */
export function tagsOf(expression: string): string[] {
  const trimmed = expression.trim()
  if (trimmed === '' || trimmed === '*') return []
  const tags = trimmed.split('||').map((tag) => tag.trim())
  return [...new Set(tags)].filter((tag) => tag !== '')
}
