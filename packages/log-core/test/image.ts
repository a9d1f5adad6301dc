/** The files of a simulated disk as one value, and what can happen to a file from outside. */
import type { SimulatedDisk } from '../src/testing/index.js'

export type Image = ReadonlyMap<string, Buffer>

export interface Damage {
  readonly how: 'flip' | 'cut' | 'remove'
  /** Picks the file, and where in it. */
  readonly pick: number
}

export function takeImage(disk: SimulatedDisk): Image {
  return new Map(disk.paths().map((path) => [path, disk.contents(path) ?? Buffer.alloc(0)]))
}

/** Puts the files back as they were, durable, and removes all others. */
export function putImage(disk: SimulatedDisk, image: Image): void {
  for (const path of disk.paths()) if (!image.has(path)) disk.removeFile(path)
  for (const [path, bytes] of image) disk.putFile(path, bytes)
}

/** Damages one segment; gives its path, or undefined when there is nothing to damage. */
export function damageDisk(disk: SimulatedDisk, { how, pick }: Damage): string | undefined {
  const paths = disk.paths().filter((path) => path.endsWith('.seg'))
  const path = paths[pick % Math.max(1, paths.length)]
  if (path === undefined) return undefined
  const bytes = disk.contents(path)?.length ?? 0
  const inside = Math.floor(pick / paths.length)
  if (how === 'remove') disk.removeFile(path)
  else if (bytes === 0) return undefined
  else if (how === 'cut') disk.truncateFile(path, inside % bytes)
  else disk.flipBit(path, inside % (bytes * 8))
  return path
}
