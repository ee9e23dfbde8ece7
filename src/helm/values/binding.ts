import type { Path } from './tree.ts'

/** What a leaf of the values contributes to a reference. */
export type LeafRole = 'reference' | 'registry' | 'repository' | 'name' | 'tag' | 'digest'

/** Where a rendered reference stands: a pod's `image:`, an argument, an environment variable, … */
export type Where = 'image' | 'arg' | 'env' | 'configmap' | 'secret' | 'cr'

export interface ValuesLeaf {
  readonly path: Path
  readonly role: LeafRole
  /** False when values.yaml does not name it but a template reads it. */
  readonly declared: boolean
}

/** A run of text in a reference: a template's own, or what the leaf at `leaf` holds. */
export interface Piece {
  readonly text: string
  readonly leaf?: Path
  /** What the leaf holds before the reference: `oci://`. */
  readonly scheme?: string
}

/** How a reference is put together; the texts of all pieces joined are `name[:tag][@digest]`. */
export interface Shape {
  /** Registry and repository. */
  readonly name: readonly Piece[]
  readonly tag: readonly Piece[]
  /** `sha256:…`, when there is one. */
  readonly digest: readonly Piece[]
}

/** A leaf that is empty now; once set it gives the tag or the digest. */
export interface SpareLeaf {
  readonly path: Path
  /** What the template puts before and after it: `v` before a tag, `sha256:` before a bare digest. */
  readonly before: string
  readonly after: string
  /** A digest only: the tag disappears once it is set. */
  readonly replacesTag?: boolean
}

/** A way to write one reference. A binding has several when the first cannot be used. */
export interface Recipe {
  readonly shape: Shape
  readonly tag?: SpareLeaf
  readonly digest?: SpareLeaf
}

/** A place in a chart's values that decides what image is pulled. */
export interface Binding {
  /** The map that holds the leaves, or the leaf itself. */
  readonly path: Path
  readonly leaves: readonly ValuesLeaf[]
  /** The normalised reference under the given layers of values. */
  readonly reference: string
  /** All of them, when the template makes several out of one place. */
  readonly references: readonly string[]
  readonly where: Where
  /** `Deployment/name .spec.…`, for people. */
  readonly at: readonly string[]
  /** A real helm rendered a sentinel written to these leaves. */
  readonly proven: boolean
  /** `helm.sh/hook` of the object, when every place is in a hook. */
  readonly hook?: string
  /** The leaf holds the beginning of a repository name; the rest is added when the program runs. */
  readonly stem?: boolean
  /** What to switch on for this reference to appear; empty under the given layers. */
  readonly variant?: string
  readonly note?: string
  /** Switches the chart wants to see on before it takes another registry. */
  readonly consents?: readonly Path[]
  /** The first is used; the others are fallbacks. */
  readonly recipes: readonly Recipe[]
}

/**
 * `needed`: a rendered object pulls it. `on-demand`: only when a switch is set or a custom resource asks for it.
 * `unknown`: a place that no render decides.
 */
export type Need = 'needed' | 'on-demand' | 'unknown'

/** An image that a chart names, and whether what is installed pulls it. */
export interface ImageUse {
  /** Normalised; the beginning of a name where the program adds the rest. */
  readonly reference: string
  /** `Deployment/name .spec.…`, or `templates/file.yaml:7` where no render shows it. */
  readonly at: string
  /** Dotted path of the values that name it; absent when a template does. */
  readonly path?: string
  readonly need: Need
  /** What it takes, for all but `needed`: `metrics.enabled is true`. */
  readonly when?: string
  /** An object of the user's own names it, or makes a controller pull it: no values of the chart change that. */
  readonly applied?: true
  readonly hook?: string
}

/** A reference that no value changes: written in a template, or put together in a way that was not understood. */
export interface Unreachable {
  readonly reference: string
  readonly at: string
  readonly hook?: string
  readonly reason: string
  /** The variant that shows it; absent when the given layers do. */
  readonly variant?: string
  /** Found in the text of a template; no render showed it. */
  readonly unrendered?: boolean
}

/** A name in a rendered object that is no whole reference; a program may make one of it. */
export interface OpenName {
  readonly text: string
  readonly at: string
  readonly hook?: string
  readonly reason: string
}

/** A default that an override relies on: with another value the chart itself would pull another image there. */
export interface Mode {
  /** Dotted path of the binding. */
  readonly path: string
  readonly reference: string
  /** Dotted path of the value it depends on, what that is now, and what it may be. */
  readonly when: string
  readonly is: string
  readonly otherwise: string
  /** The reference that the chart then has. */
  readonly instead: string
}

/** A chart that does not render with the values given alone, and what was done about it. */
export interface RenderRefusal {
  /** Helm's words. */
  readonly message: string
  /** `filled`: values were made up. `example`: its authors' own were taken. `unchecked`: its checks were left out. */
  readonly instead: 'filled' | 'example' | 'unchecked'
  /** Dotted paths of the values that were made up. */
  readonly filled: readonly string[]
}

export const piecesText = (pieces: readonly Piece[]): string => pieces.map(({ text }) => text).join('')
