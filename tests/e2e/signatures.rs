//! Policies that demand signatures, as other people's programs read them.

use sealift_testkit::real::{RealRegistry, Skopeo};
use sealift_testkit::{ImageMaker, Registry, cosign};

use crate::calico::publish;
use crate::support::Shore;

/// What skopeo says where a signature is demanded and it finds none.
const NONE: &str = "A signature was required, but no signature exists";

#[test]
fn nodes_find_signatures_by_the_new_name_and_by_the_publishers_and_refuse_what_has_none() {
    let (Some(skopeo), Some(registry)) = (Skopeo::find(), RealRegistry::distribution2()) else {
        return;
    };
    let (shore, source) = (Shore::new(), Registry::start());
    let product = ["--product", "calico@v3.32.1"];
    publish(&shore, &source, &product);
    let node = ImageMaker::new("calico/node").make();
    let mut signed = node.clone().with(cosign(&node.root, "sig"));
    for child in node.children() {
        signed = signed.with(cosign(&child, "sig"));
    }
    signed.put_into(&source, "calico/node", Some("v3.32.1"));
    let mirror = source.host();
    let out = ["--product-mirror", &mirror, "-o", "calico.tar", "--quiet"];
    shore.ok(&[["bundle"].as_slice(), &product, &out].concat());
    let to = format!("{}/m", registry.host());
    shore.ok(&["load", "calico.tar", &to, "--quiet"]);
    shore.write("key.pub", KEY);
    let key = shore.path("key.pub");
    shore.ok(&[
        "mirror",
        "registries-conf",
        "calico.tar",
        &to,
        "--plain-http",
        &registry.host(),
        "--policy-key",
        key.to_str().unwrap(),
        "--out-dir",
        "nodes",
    ]);
    let file = |name: &str| shore.path("nodes").join(name).display().to_string();
    let pull = |image: &str| {
        let output = skopeo.run(&[
            "--registries.d",
            &file("registries.d"),
            "--registries-conf",
            &file("registries.conf"),
            "--policy",
            &file("policy.json"),
            "copy",
            "--override-arch",
            "amd64",
            "--src-tls-verify=false",
            &format!("docker://{image}"),
            &format!("dir:{}", shore.path("pulled").display()),
        ]);
        assert!(
            !output.status.success(),
            "{image}: nothing has a true signature here"
        );
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    for place in [to.as_str(), "quay.io"] {
        let missing = pull(&format!("{place}/calico/cni:v3.32.1"));
        assert!(missing.contains(NONE), "{place}: {missing}");
        // The one that is there is no signature of anything, and is found and refused for that.
        let found = pull(&format!("{place}/calico/node:v3.32.1"));
        assert!(found.contains("rejected"), "{place}: {found}");
        assert!(!found.contains(NONE), "{place}: {found}");
    }
}

/// A public key of which nobody has the other half.
const KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEwS3NaBQA3w1bZ/tmGWkIBvji/agY
TzeEj5aokGK5uQVE9kcfTPrpXBWAhBTO7BkZKhe9XhoKLaz43Af9ydEc4w==
-----END PUBLIC KEY-----
";
