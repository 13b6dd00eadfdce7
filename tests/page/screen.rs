//! What a browser is shown on: its size, its colours, its clock; and pictures of it.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use event::Timestamp;
use serde_json::{Value, json};

use crate::browser::Browser;

/// The height of the tallest picture, in CSS pixels.
const TALLEST: f64 = 3_000.0;

impl Browser {
    /// Makes pages that are opened from now on believe that it is this moment.
    pub(crate) fn stop_clock(&self, now: Timestamp) {
        let source = format!("Date.now = () => {};", now.as_millis());
        self.devtools(
            "Page.addScriptToEvaluateOnNewDocument",
            json!({"source": source}),
        );
    }

    /// A window of a usual computer.
    pub(crate) fn desktop(&self) {
        self.window(1280, 800);
    }

    /// A window of this size, in CSS pixels.
    pub(crate) fn window(&self, width: u32, height: u32) {
        self.screen(
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}),
        );
    }

    /// A small phone, held upright.
    pub(crate) fn phone(&self) {
        self.screen(json!({"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": true}));
    }

    fn screen(&self, metrics: Value) {
        self.devtools("Emulation.setDeviceMetricsOverride", metrics);
    }

    /// `light` or `dark`, as the person has set the system; without movement, so that nothing is between the two.
    pub(crate) fn prefer(&self, scheme: &str) {
        let features = json!({"features": [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]});
        self.devtools("Emulation.setEmulatedMedia", features);
    }

    /// Writes a picture (PNG) of the page: all of it, up to [`TALLEST`], or just what the window shows.
    pub(crate) fn picture(&self, file: &Path, all: bool) {
        let mut wanted = json!({"format": "png"});
        if all {
            let size = &self.devtools("Page.getLayoutMetrics", json!({}))["cssContentSize"];
            let height = size["height"].as_f64().expect("a number").min(TALLEST);
            wanted["captureBeyondViewport"] = json!(true);
            wanted["clip"] =
                json!({"x": 0, "y": 0, "width": size["width"], "height": height, "scale": 1});
        }
        let taken = self.devtools("Page.captureScreenshot", wanted);
        let picture = STANDARD.decode(taken["data"].as_str().expect("a picture"));
        std::fs::write(file, picture.expect("base64")).expect("written");
    }
}
