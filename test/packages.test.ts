/**
 * What each package publishes, read from its manifest: an exports map whose entries have a source,
 * types before code, and the same terms everywhere.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { packages, top } from './source-tree.js'

describe.each(packages)('$folder', ({ folder, manifest }) => {
  test('has the terms of the workspace', () => {
    expect(manifest).toMatchObject({
      license: 'Apache-2.0',
      type: 'module',
      engines: { node: '>=20.19' },
      sideEffects: false,
      publishConfig: { access: 'public' },
    })
    expect(manifest.private).toBeUndefined()
    expect(manifest.files).toContain('dist')
  })

  test('leads every entry to a source of its own', () => {
    const entries = Object.entries(manifest.exports ?? {})
    expect(entries.map(([name]) => name)).toContain('.')
    for (const [name, entry] of entries) {
      if (typeof entry === 'string') {
        expect(entry).toBe('./package.json')
        continue
      }
      expect(Object.keys(entry), name).toEqual(['types', 'default'])
      const code = entry['default'] ?? ''
      expect(entry['types'], name).toBe(code.replace(/\.js$/, '.d.ts'))
      const source = join(top, folder, code.replace('./dist/', 'src/').replace(/\.js$/, '.ts'))
      expect(existsSync(source), `${name} is compiled from ${source}`).toBe(true)
    }
  })

  test('depends on its own kin by the workspace', () => {
    const kin = Object.entries(manifest.dependencies ?? {}).filter(([name]) => /sagalog/.test(name))
    for (const [name, range] of kin) expect(range, name).toBe('workspace:*')
  })
})
