/** Loads a module of the user's from this machine, which runs it. */
import { InvalidArgumentError } from 'commander'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

/** A module that a command can't use is a wrong argument, whatever is wrong with it. */
export const unusable = (module: string, reason: string): InvalidArgumentError =>
  new InvalidArgumentError(
    `the module ${module} can not be used: ${reason}. Give the path of a compiled ES module.`,
  )

/** What the module exports. Rejects with what `unusable` gives when it is not there or throws. */
export async function exportsOf(module: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await import(pathToFileURL(resolve(module)).href)) as Record<string, unknown>
  } catch (thrown) {
    const [reason = ''] = String(thrown).split('\n')
    throw unusable(module, reason)
  }
}
