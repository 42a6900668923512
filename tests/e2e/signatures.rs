//! Policies that demand signatures, as other people's programs read them.

use sealift_testkit::real::{RealRegistry, Skopeo};
use sealift_testkit::{ImageMaker, Registry, cosign};

use crate::calico::publish;
use crate::support::WorkDir;

/// What skopeo says where a signature is demanded and it finds none.
const NONE: &str = "A signature was required, but no signature exists";

#[test]
fn nodes_find_signatures_by_the_new_name_and_by_the_publishers_and_refuse_what_has_none() {
    let (Some(skopeo), Some(registry)) = (Skopeo::find(), RealRegistry::distribution2()) else {
        return;
    };
    let (work_dir, source) = (WorkDir::new(), Registry::start());
    let product = ["--product", "calico@v3.32.1"];
    publish(&work_dir, &source, &product);
    let node = ImageMaker::new("calico/node").make();
    let mut signed = node.clone().with(cosign(&node.root, "sig"));
    for child in node.children() {
        signed = signed.with(cosign(&child, "sig"));
    }
    signed.put_into(&source, "calico/node", Some("v3.32.1"));
    let mirror = source.host();
    let out = ["--product-mirror", &mirror, "-o", "calico.tar", "--quiet"];
    work_dir.ok(&[["bundle"].as_slice(), &product, &out].concat());
    let to = format!("{}/m", registry.host());
    work_dir.ok(&["load", "calico.tar", &to, "--quiet"]);
    work_dir.write("key.pub", KEY);
    let key = work_dir.path("key.pub");
    work_dir.ok(&[
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
    let file = |name: &str| work_dir.path("nodes").join(name).display().to_string();
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
            &format!("dir:{}", work_dir.path("pulled").display()),
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
