/** Tests run on the sources: an import of one of our packages goes to the nearest tree's `src`. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const top = dirname(fileURLToPath(import.meta.url))

/** A patched copy of the tree has packages of its own: the nearest ones above the importer win. */
function packagesAbove(file: string): string {
  for (let folder = dirname(file); folder.startsWith(top); folder = dirname(folder)) {
    const candidate = join(folder, 'packages')
    if (existsSync(join(candidate, 'kernel', 'package.json'))) return candidate
  }
  return join(top, 'packages')
}

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly default: string }>>
}

const workspaceSources = {
  name: 'workspace-sources',
  enforce: 'pre' as const,
  resolveId(source: string, importer: string | undefined): string | undefined {
    const match = /^(?:@sagalog\/([a-z-]+)|(sagalog))(\/.+)?$/.exec(source)
    if (match === null) return undefined
    const folder = join(packagesAbove(importer ?? top), match[1] ?? match[2] ?? '')
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
    const entry = manifest.exports[`.${match[3] ?? ''}`]
    if (entry === undefined || typeof entry === 'string') return undefined
    return join(folder, entry.default.replace('./dist/', 'src/').replace(/\.js$/, '.ts'))
  },
}

/** What takes minutes, longest first: begun last, it would run alone at the end. */
const long = ['planted-broker', 'planted-log-core', 'java-clients', 'planted', 'demo.process']

/** Sorts files so that the long ones are begun first. */
class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const index = long.findIndex((name) => moduleId.includes(`/${name}`))
      if (index >= 0) return index
      return moduleId.includes('.property.') ? long.length : long.length + 1
    }
    const sorted = await super.sort(files)
    return sorted.toSorted((left, right) => rank(left) - rank(right))
  }
}

export default defineConfig({
  plugins: [workspaceSources],
  test: {
    include: ['packages/*/test/**/*.test.ts', 'test/**/*.test.ts', 'examples/*/test/**/*.test.ts'],
    exclude: ['**/node_modules/**', '.planted/**'],
    testTimeout: 30_000,
    pool: 'forks',
    // Modules keep nothing of a test, so files of one process share them: a third less to wait for.
    isolate: false,
    maxWorkers: 2,
    reporters: ['default'],
    sequence: { sequencer: LongFirst },
  },
})
