/** The least a spec can say. */
export const SPEC = `apiVersion: ma-bundle/v1
kind: BundleSpec
name: small
version: 1.0.0
groups: [{ name: all, images: ["quay.io/team/app:1"] }]
`
