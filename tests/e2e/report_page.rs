//! The page of `sealift report` in a browser: nothing is wider than the window, and an accessibility checker finds
//! nothing to complain of, in light and dark.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sealift_testkit::real::{require, run, skipped};
use serde_json::Value;

use crate::reviewing::releases;

/// Runs in the page: reports its width and what the checker found to the page around it.
const PROBE: &str = "<script>
addEventListener('load', async () => {
  for (const one of document.querySelectorAll('details')) one.open = true;
  const found = await axe.run(document, { resultTypes: ['violations'] });
  const violations = found.violations.map(one => one.id + ': ' + one.nodes.map(node => node.html + ' ' + node.failureSummary).join('; '));
  const root = document.documentElement;
  parent.postMessage({ width: root.clientWidth, needed: root.scrollWidth, violations, checks: found.passes.length }, '*');
});
</script>";

/// axe-core's script, from `SEALIFT_AXE`; `None`, after a message, if it is not there.
fn axe() -> Option<String> {
    let path = env::var_os("SEALIFT_AXE").map(PathBuf::from);
    let script = path.and_then(|path| fs::read_to_string(path).ok());
    if script.is_none() {
        skipped("axe-core is not there (SEALIFT_AXE)");
    }
    script
}

/// A page with the report in a frame of this width: the smallest window of a browser is wider than a telephone.
fn frame(width: u32) -> String {
    format!(
        "<!DOCTYPE html><body style='margin:0'><iframe src='probed.html' width='{width}' height='1600' style='border:0'></iframe>
<pre id='result'></pre><script>addEventListener('message', event => {{
  document.getElementById('result').textContent = btoa(unescape(encodeURIComponent(JSON.stringify(event.data))));
}});</script></body>"
    )
}

struct Browser {
    program: PathBuf,
    folder: PathBuf,
}

impl Browser {
    fn run(&self, dark: bool, action: &str) -> String {
        let profile = format!("--user-data-dir={}", self.folder.join("profile").display());
        let scheme = format!("--blink-settings=preferredColorScheme={}", i32::from(!dark));
        let page = format!("file://{}", self.folder.join("frame.html").display());
        let output = run(
            &self.program,
            &[
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
                "--window-size=1280,1600",
                "--allow-file-access-from-files",
                "--virtual-time-budget=60000",
                &scheme,
                &profile,
                action,
                &page,
            ],
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What the page in the frame reported.
    fn probe(&self, dark: bool) -> Value {
        let dom = self.run(dark, "--dump-dom");
        let result = dom.split_once("<pre id=\"result\">").map(|(_, rest)| rest);
        let result = result
            .and_then(|rest| rest.split_once("</pre>"))
            .map(|(result, _)| result);
        let bytes = STANDARD.decode(result.unwrap_or_default()).unwrap();
        serde_json::from_slice(&bytes).unwrap_or_else(|_| panic!("no result in {dom:.2000}"))
    }
}

/// The width and height of a PNG file.
fn png_size(path: &Path) -> (u32, u32) {
    let bytes = fs::read(path).unwrap();
    assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n"));
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

#[test]
fn the_page_fits_windows_of_two_widths_and_passes_an_accessibility_checker() {
    let (Some(program), Some(axe)) = (require("chromium"), axe()) else {
        return;
    };
    let work_dir = releases();
    work_dir.ok(&["report", "new.tar", "-o", "page.html", "--quiet"]);
    let page = String::from_utf8(work_dir.read("page.html")).unwrap();
    let policy = "http-equiv=\"Content-Security-Policy\"";
    assert!(
        page.contains(policy),
        "the page forbids everything that the probe needs"
    );
    let probed = page.replace(policy, "name=\"was-a-policy\"");
    work_dir.write(
        "probed.html",
        probed.replace("</body>", &format!("<script>{axe}</script>{PROBE}</body>")),
    );
    let browser = Browser {
        program,
        folder: work_dir.folder().to_owned(),
    };
    for width in [1280, 375] {
        work_dir.write("frame.html", frame(width));
        for dark in [false, true] {
            let result = browser.probe(dark);
            let shown = format!("at {width}, dark {dark}: {result:#}");
            assert_eq!(result["width"], width, "{shown}");
            assert_eq!(
                result["needed"], width,
                "the page is wider than its window {shown}"
            );
            assert_eq!(result["violations"], serde_json::json!([]), "{shown}");
            assert!(result["checks"].as_u64().unwrap() > 10, "{shown}");
            let picture = work_dir.path(&format!("page-{width}-{dark}.png"));
            browser.run(dark, &format!("--screenshot={}", picture.display()));
            assert_eq!(png_size(&picture), (1280, 1600));
            keep(&picture);
        }
    }
    let paper = work_dir.path("page.pdf");
    browser.run(false, &format!("--print-to-pdf={}", paper.display()));
    assert!(fs::read(paper).unwrap().starts_with(b"%PDF"));
}

/// Copies a screenshot to the folder in `SEALIFT_SCREENSHOTS`, for people to look at.
fn keep(picture: &Path) {
    if let (Some(folder), Some(name)) = (env::var_os("SEALIFT_SCREENSHOTS"), picture.file_name()) {
        fs::copy(picture, Path::new(&folder).join(name)).unwrap();
    }
}
