/**
 * Which messages a subscription takes: all of them, or those that carry one of its tags. The text
 * itself is compared, so no hash can deceive.
 */
import { MessageConst, propertyOf, storedProperties, tagsOf } from '@sagalog/protocol'

/** Says of a stored message, by where it begins, whether it is wanted; undefined takes all. */
export type TagFilter = ((source: Buffer, at: number) => boolean) | undefined

export function tagFilter(expression: string): TagFilter {
  const tags = new Set(tagsOf(expression))
  if (tags.size === 0) return undefined
  return (source, at) => {
    const tag = propertyOf(storedProperties(source, at), MessageConst.PROPERTY_TAGS)
    return tag !== undefined && tags.has(tag)
  }
}
