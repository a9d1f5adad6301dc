/** Loads the projections of a module of the user's from this machine. */
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Projection } from '@sagalog/event-store'

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
  const found = (await import(pathToFileURL(resolve(path)).href)) as { projections?: unknown }
  if (Array.isArray(found.projections) && found.projections.every(isProjection))
    return found.projections
  throw new Error(`${path} exports no array \`projections\` of what projection(..) gives`)
}
