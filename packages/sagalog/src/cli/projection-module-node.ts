/** Loads the projections of a module of the user's from this machine. */
import type { Projection } from '@sagalog/event-store'
import { exportsOf, unusable } from './user-module-node.js'

function isProjection(value: unknown): value is Projection<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    ['name', 'version', 'sets', 'keyOf', 'change'].every((name) => name in value)
  )
}

/** What the module exports as `projections`; none without a module. */
export async function projectionsOf(
  path: string | undefined,
): Promise<readonly Projection<unknown>[]> {
  if (path === undefined) return []
  const { projections } = await exportsOf(path)
  if (Array.isArray(projections) && projections.every(isProjection)) return projections
  throw unusable(path, 'it exports no array `projections` of what projection(..) gives')
}
