//! Damaged texts, the same in every run.

/// Texts that have a bit of everything.
pub(crate) const SEEDS: &[&str] = &[
    "# list\nquay.io/calico/node:v3.25.0\nredis:7 # x\n\nr:5000/a@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
    "apiVersion: v1\nkind: Pod\nmetadata: {name: é, namespace: b}\nspec:\n  containers:\n  - &a\n    image: &i 'quay.io/a/b:1'  # c\n    args: [--x-image=c/d:2, \"-y\"]\n  - <<: *a\n    image: >-\n      docker.io/e/f:3\n  initContainers:\n  - image: \"g\\/h:4\"\n  - image: *i\n---\n{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"spec\": {\"containers\": [{\"image\": \"x\"}]}}\n",
    "global: {hub: docker.io/istio, tag: 1.24}\npilot: {image: pilot}\nimage:\n  registry: quay.io\n  repository: cilium/cilium\n  tag: \"v1\"\n  digest: ''\n  useDigest: false\nextra: [quay.io/x/y:1, 'z=quay.io/a/b:2,c']\n",
    "apiVersion: content.hauler.cattle.io/v1\nkind: Images\nspec:\n  images:\n  - name: busybox\r\n  - name: |\n      a/b:1\n",
    "apiVersion: v1\nkind: ConfigMap\ndata:\n  a: |\n    kind: Pod\n    apiVersion: v1\n    spec:\n      containers:\n      - image: 'quay.io/a/b:1' # é\n      - image: quay.io/a/b:1\n  b: |-\n    {\"image\": \"quay.io/c/d:2\"}\n",
    "apiVersion: apps/v1\r\nkind: Deployment\r\nspec:\r\n  template:\r\n    spec:\r\n      serviceAccountName: x\r\n      containers:\r\n      - image: a/b:1\r\n        env:\r\n        - name: RELATED_IMAGE_X\r\n          value: c/d:2\r\n",
    "kind: Kustomization\napiVersion: kustomize.config.k8s.io/v1beta1\nimages:\n- name: nginx\n  newName: quay.io/t/n\n  newTag: '1.25'\n- {name: redis, digest: 'sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'}\npatches:\n- patch: |-\n    - op: replace\n      path: /spec/containers/0/image\n      value: t/b:1\n  target: {kind: Pod}\n",
    "apiVersion: v1\nkind: Secret\nstringData:\n  a.yaml: |\n    apiVersion: v1\n    kind: ConfigMap\n    data:\n      X_IMAGE: t/a:v1\n      b.yaml: |\n        kind: Pod\n        apiVersion: v1\n        spec: {containers: [{image: quay.io/a/b:1}]}\n  cni: quay.io/c/d:2\n",
    "driver:\n  repository: nvcr.io/nvidia\n  image: driver\n  version: \"450\"\nimage: {registry: quay.io, org: t, name: a, tag: v1, digest: \"\"}\nb: {image: {repository: 'ghcr.io/t/b:v3@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', tag: ''}}\nmyImage: t/c\nmyImageTag: v2\nimages: [t/d:1, {source: 't/e:2', target: r/e}, a=t/f:3]\nlist-images: |\n  t/g:1\n  t/h:2\n",
    "quay.io:\n  images:\n    a/b: [\"1\", 'sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa']\n    c/d: []\n---\nsystem_images: {etcd: 'r/e:v3'}\n",
    "TAG=v1\nexport NODE_IMAGE=quay.io/t/node:v1 # why\r\nSIDE_IMAGE=\"t/side:v2\"\nBASE_IMAGE=quay.io/t/base\n",
];

/// Pieces that mean something to YAML or to references.
const TOKENS: &[&str] = &[
    ":",
    ": ",
    "- ",
    "\n",
    "\r\n",
    "\r",
    "  ",
    "\t",
    "'",
    "\"",
    "|",
    ">",
    ">-",
    "&a ",
    "*a",
    "<<: *a",
    "{",
    "}",
    "[",
    "]",
    ",",
    "#",
    " #",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "!!str ",
    "!<x> ",
    "? ",
    "~",
    "image: ",
    "containers:\n",
    "@",
    "@sha256:",
    "/",
    "é",
    "\u{feff}",
    "\u{85}",
    "\u{2028}",
    "\0",
    "\\",
    "{{ .x }}",
    "${X}",
    "latest",
    "\\\n",
    "''",
    "apiVersion: v1\nkind: List\nitems:\n",
];

/// A source of damage.
pub(crate) struct Mutator {
    state: u64,
}

impl Mutator {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed.max(1) }
    }

    /// A number below `limit`, which is not 0 (xorshift).
    fn below(&mut self, limit: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        usize::try_from(self.state % limit as u64).unwrap()
    }

    /// The text with one to four changes.
    pub(crate) fn mutate(&mut self, text: &[u8]) -> Vec<u8> {
        let mut out = text.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(out.len() + 1);
            match self.below(6) {
                0 => out.truncate(at),
                1 if at < out.len() => {
                    out.remove(at);
                }
                2 if at < out.len() => out[at] ^= 1 << self.below(8),
                3 => {
                    let from = self.below(out.len() + 1);
                    let piece = out[at.min(from)..at.max(from)].to_vec();
                    let to = self.below(out.len() + 1);
                    out.splice(to..to, piece);
                }
                _ => {
                    let token = TOKENS[self.below(TOKENS.len())];
                    out.splice(at..at, token.bytes());
                }
            }
        }
        out
    }
}
