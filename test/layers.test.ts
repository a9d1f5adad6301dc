/**
 * The layers as `layers.json` names them, held against the sources: who may import whom, no cycles
 * at run time, effects only in their home files, manifests that say what the sources use.
 */
import { posix } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  childrenOf,
  filesBelow,
  type Import,
  isSyntax,
  type Manifest,
  nameOf,
  packages,
  readJson,
  readSources,
  type SourceFile,
  type Syntax,
  visit,
} from './source-tree.js'

interface Layers {
  readonly packages: Readonly<Record<string, readonly string[]>>
  readonly outside: Readonly<Record<string, readonly string[]>>
  readonly homes: Readonly<Record<string, readonly string[]>>
  readonly pureModules: readonly string[]
  readonly pureCrypto: readonly string[]
}
const layers = readJson<Layers>('test/layers.json')

const sources = new Map<string, readonly SourceFile[]>()
for (const { folder, manifest } of packages)
  sources.set(manifest.name, readSources(`${folder}/src`, /\.ts$/))
const allSources = [...sources.values()].flat()

/** The package that a bare import names, or undefined for a file or a built-in module. */
function packageOf(source: string): string | undefined {
  if (source.startsWith('.') || source.startsWith('node:')) return undefined
  return source.split('/', source.startsWith('@') ? 2 : 1).join('/')
}

function packagesImported(files: readonly SourceFile[]): ReadonlySet<string> {
  const names = files.flatMap((file) => file.imports.map(({ source }) => packageOf(source)))
  return new Set(names.filter((name) => name !== undefined))
}

describe('layers', () => {
  test('every package has its row', () => {
    const names = packages.map(({ manifest }) => manifest.name).toSorted()
    expect(Object.keys(layers.packages).toSorted()).toEqual(names)
    expect(Object.keys(layers.outside).toSorted()).toEqual(names)
  })

  test('a package imports only what its row allows, types included', () => {
    const wrong: string[] = []
    for (const [name, files] of sources)
      for (const file of files)
        for (const { source } of file.imports) {
          const target = packageOf(source)
          const allowed = [...(layers.packages[name] ?? []), ...(layers.outside[name] ?? [])]
          if (target !== undefined && !allowed.includes(target))
            wrong.push(`${file.path} imports ${source}`)
        }
    expect(wrong).toEqual([])
  })

  test('a relative import stays inside the package and ends in .js', () => {
    const wrong: string[] = []
    for (const file of allSources)
      for (const { source } of file.imports) {
        if (!source.startsWith('.')) continue
        const target = posix.join(posix.dirname(file.path), source)
        const home = file.path.split('/', 3).join('/')
        if (!target.startsWith(`${home}/`) || !source.endsWith('.js'))
          wrong.push(`${file.path} imports ${source}`)
      }
    expect(wrong).toEqual([])
  })

  test('nothing imports a folder of this workspace by way of its files', () => {
    const wrong = allSources.flatMap((file) =>
      file.imports
        .filter(({ source }) => /(^|\/)(src|dist)\//.test(source))
        .map(({ source }) => `${file.path} imports ${source}`),
    )
    expect(wrong).toEqual([])
  })
})

/** The file that an import leads to at run time, or undefined when it leaves the workspace. */
function targetOf(file: SourceFile, { source }: Import): string | undefined {
  if (source.startsWith('.'))
    return posix.join(posix.dirname(file.path), source).replace(/\.js$/, '.ts')
  const name = packageOf(source)
  const found = packages.find(({ manifest }) => manifest.name === name)
  if (found === undefined || name === undefined) return undefined
  const entry = found.manifest.exports?.[`.${source.slice(name.length)}`]
  if (entry === undefined || typeof entry === 'string') return undefined
  return posix
    .join(found.folder, (entry['default'] ?? '').replace('dist/', 'src/'))
    .replace(/\.js$/, '.ts')
}

/** Cycles as paths, each found once, at the file where a walk in order meets itself. */
function cyclesOf(graph: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const cycles: string[] = []
  const done = new Set<string>()
  const walk = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path)
    if (at >= 0) {
      cycles.push([...trail.slice(at), path].join(' -> '))
      return
    }
    if (done.has(path)) return
    for (const next of graph.get(path) ?? []) walk(next, [...trail, path])
    done.add(path)
  }
  for (const path of graph.keys()) walk(path, [])
  return cycles
}

test('there are no import cycles at run time, inside and across packages', () => {
  const graph = new Map<string, readonly string[]>()
  for (const file of allSources) {
    const targets = file.imports
      .filter(({ isTypeOnly }) => !isTypeOnly)
      .map((found) => targetOf(file, found))
    graph.set(
      file.path,
      targets.filter((target) => target !== undefined),
    )
  }
  expect(cyclesOf(graph)).toEqual([])
})

const globals = new Set([
  'Date',
  'performance',
  'setTimeout',
  'clearTimeout',
  'setInterval',
  'clearInterval',
  'setImmediate',
  'clearImmediate',
  'queueMicrotask',
  'process',
  'console',
  'globalThis',
  'crypto',
  'fetch',
  'WebSocket',
])

/** Everything with parameters, types of functions included: what it declares hides a global. */
const scopes = /^(Program|.*Function.*|TSMethodSignature|TSConstructorType)$/

/** Names that a pattern binds: `{ a, b: [c] }` binds a and c. */
function boundBy(pattern: Syntax): readonly string[] {
  if (pattern.type === 'Identifier') return [nameOf(pattern)]
  return childrenOf(pattern).flatMap(([key, child]) => {
    const isPart = key !== 'key' && key !== 'right' && !child.type.startsWith('TSType')
    return isPart ? boundBy(child) : []
  })
}

/** Names that a scope declares itself, not those of the functions inside it. */
function declaredIn(scope: Syntax): ReadonlySet<string> {
  const names = new Set<string>()
  const walk = (node: Syntax): void => {
    for (const [key, child] of childrenOf(node)) {
      if (key === 'params') for (const name of boundBy(child)) names.add(name)
      const isDeclared = child.type === 'VariableDeclarator' || child.type.endsWith('Declaration')
      if (isDeclared && isSyntax(child['id']))
        for (const name of boundBy(child['id'])) names.add(name)
      if (!scopes.test(child.type)) walk(child)
    }
  }
  walk(scope)
  return names
}

/** The globals that a file mentions in its code, where no local name hides them. */
function globalsOf(file: SourceFile): ReadonlySet<string> {
  const found = new Set<string>()
  const walk = (node: Syntax, hidden: ReadonlySet<string>): void => {
    const name = nameOf(node)
    if (node.type === 'Identifier' && globals.has(name) && !hidden.has(name)) found.add(name)
    const inside = scopes.test(node.type) ? new Set([...hidden, ...declaredIn(node)]) : hidden
    for (const [key, child] of childrenOf(node)) {
      // The name after a dot and the key of a property are no mention of a global.
      const isName = key === 'key' || (key === 'property' && node.type === 'MemberExpression')
      if (isName && node['computed'] !== true && child.type === 'Identifier') continue
      walk(child, inside)
    }
  }
  walk(file.tree, new Set())
  return found
}

/** Things of the world that a file reaches: globals, Math.random, built-in modules. */
function effectsOf(file: SourceFile): ReadonlySet<string> {
  const found = new Set(globalsOf(file))
  visit(file.tree, (node) => {
    if (node.type !== 'MemberExpression') return
    const text = file.text.slice(node.start, node.end).replaceAll(/\s/g, '')
    if (text === 'Math.random') found.add(text)
  })
  for (const { source, names } of file.imports) {
    if (!source.startsWith('node:')) continue
    if (!layers.pureModules.includes(source)) found.add(source)
    if (source === 'node:crypto')
      for (const name of names) if (!layers.pureCrypto.includes(name)) found.add(name)
  }
  return found
}

describe('effects', () => {
  test('time, files, sockets and randomness are touched in their home files only', () => {
    const wrong: string[] = []
    for (const file of allSources)
      for (const effect of effectsOf(file))
        if (!(layers.homes[file.path] ?? []).includes(effect))
          wrong.push(`${file.path} uses ${effect}`)
    expect(wrong).toEqual([])
  })

  test('every home is there and needs what it may use', () => {
    const stale: string[] = []
    for (const [path, allowed] of Object.entries(layers.homes)) {
      const file = allSources.find((source) => source.path === path)
      if (file === undefined) {
        stale.push(`${path} is not there`)
        continue
      }
      const used = effectsOf(file)
      for (const effect of allowed) if (!used.has(effect)) stale.push(`${path}: ${effect}`)
    }
    expect(stale).toEqual([])
  })
})

const exampleFolders = filesBelow('examples', /^examples\/[^/]+\/package\.json$/).map((path) =>
  posix.dirname(path),
)

describe('manifests', () => {
  test.each(packages)('$folder depends on exactly what it imports', ({ manifest }) => {
    const imported = packagesImported(sources.get(manifest.name) ?? [])
    const declared = { ...manifest.dependencies, ...manifest.peerDependencies }
    expect(Object.keys(declared).toSorted()).toEqual([...imported].toSorted())
  })

  test.each(packages)('$folder refers to exactly its own layers', ({ folder, manifest }) => {
    interface TsConfig {
      readonly references?: readonly { readonly path: string }[]
    }
    const { references = [] } = readJson<TsConfig>(`${folder}/tsconfig.json`)
    const referred = references.map(({ path }) => posix.join(folder, path))
    const needed = Object.keys(manifest.dependencies ?? {}).flatMap((name) =>
      packages.filter((other) => other.manifest.name === name).map((other) => other.folder),
    )
    expect(referred.toSorted()).toEqual(needed.toSorted())
  })

  test('the private parts of the workspace declare what they import', () => {
    const { devDependencies = {} } = readJson<Manifest>('package.json')
    const wrong: string[] = []
    for (const folder of ['bench', 'test', ...exampleFolders]) {
      const { dependencies = {} } = readJson<Manifest>(`${folder}/package.json`)
      const known = { ...dependencies, ...devDependencies }
      for (const name of packagesImported(readSources(folder, /\.ts$/)))
        if (!(name in known)) wrong.push(`${folder} imports ${name}`)
    }
    expect(wrong).toEqual([])
  })
})
