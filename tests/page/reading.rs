//! Whoever reads the page, on whatever: with keys alone, with a screen reader, on a phone, in the dark, without scripts.

use serde_json::json;
use thirtyfour::Key;

use crate::desk::Desk;
use crate::letters::{Letter, answer};

/// The places of a page whose text stands out less than WCAG AA asks for (4.5 to 1).
const FAINT: &str = r"
    const parsed = colour => colour.match(/[\d.]+/g).map(Number);
    const luminance = ([r, g, b]) => [r, g, b]
        .map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const ground = element => {
        for (let at = element; at; at = at.parentElement) {
            const colour = parsed(getComputedStyle(at).backgroundColor);
            if (colour.length < 4 || colour[3] > 0) return colour;
        }
        return [255, 255, 255];
    };
    const faint = [];
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const element = texts.currentNode.parentElement;
        if (!texts.currentNode.data.trim() || !element.checkVisibility() || element.disabled) continue;
        const style = getComputedStyle(element);
        const written = element instanceof SVGElement ? style.fill : style.color;
        const [one, other] = [luminance(parsed(written)), luminance(ground(element))];
        const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
        if (contrast < 4.5) faint.push(`${texts.currentNode.data.trim()}: ${contrast.toFixed(2)}`);
    }
    return faint;
";

/// The texts that run over the edge of their card or row, or are cut off.
const WIDE: &str = r"
    const scrolls = element => element && (
        ['auto', 'scroll'].includes(getComputedStyle(element).overflowX) || scrolls(element.parentElement));
    const wide = [];
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const [text, element] = [texts.currentNode, texts.currentNode.parentElement];
        if (!text.data.trim() || !element.checkVisibility() || scrolls(element)) continue;
        if (element.closest('.unseen, .skip, option') || matchMedia('(max-width: 52rem)').matches && element.closest('thead')) continue;
        const range = document.createRange();
        range.selectNodeContents(text);
        for (const place of ['td', '.card', 'tr', 'body'].map(place => element.closest(place)).filter(Boolean)) {
            const [edge, style] = [place.getBoundingClientRect(), getComputedStyle(place)];
            const left = edge.left + parseFloat(style.paddingLeft) - 1;
            const right = edge.right - parseFloat(style.paddingRight) + 1;
            const out = rect => rect.width && (rect.left < left || rect.right > right);
            if ([...range.getClientRects()].some(out)) wide.push(`${place.tagName}: ${text.data.trim().slice(0, 40)}`);
        }
    }
    return wide;
";

/// Every page that a desk with these letters has.
const PAGES: &[&str] = &[
    "/",
    "/letters",
    "/letters?status=6xx",
    "/letters/origin-0",
    "/jobs",
    "/nowhere",
];

fn letters() -> Vec<Letter> {
    let long = Letter {
        group: format!("EventSetup_{}", "7".repeat(100)),
        event: Some("an_event_with_a_name_that_goes_on_and_on".repeat(6)),
        callback: Some(format!(
            "https://{}.example.com/{}",
            "sub.".repeat(40),
            "path/".repeat(60)
        )),
        attempts: vec![answer(500, &"wordwithoutend".repeat(36)); 4],
        body: format!(
            r#"{{"msg_id":"{}","note":"{}"}}"#,
            "id".repeat(120),
            "long".repeat(2_000)
        ),
        ..Letter::nth(1)
    };
    vec![Letter::nth(0), long]
}

#[test]
fn a_letter_is_found_and_opened_with_keys_alone() {
    let desk = Desk::with(&[Letter::nth(0), Letter::nth(1)]);
    desk.open("/");
    desk.browser.tab_to("Skip to the content", 1);
    desk.browser.tab_to("Scan the internal queue", 20);
    desk.browser.keys(Key::Enter);
    desk.browser.wait_for_text("as scanned");
    desk.browser.tab_to("Dead letters", 20);
    desk.browser.keys(Key::Enter);
    desk.browser.wait_for_url("/letters");

    desk.browser.tab_to("Contains", 30);
    desk.browser.keys("event-1");
    desk.browser.keys(Key::Enter);
    desk.browser.wait_for("#matches strong", "1 dead letter");
    desk.browser.tab_to("Choose origin-1", 30);
    desk.browser.keys(" ");
    assert_eq!(desk.browser.count("#letters input:checked"), 1);
    desk.browser.tab_to("origin-1", 1);
    desk.browser.keys(Key::Enter);
    desk.browser.wait_for_url("/letters/origin-1");
    desk.browser.wait_for_text("event-1");
}

#[test]
fn everything_has_a_name_for_those_who_cannot_see_it() {
    let desk = Desk::with(&letters());
    desk.scan();
    for page in PAGES {
        desk.open(page);
        let spoken = desk.browser.spoken();
        let of = |role: &str| spoken.iter().filter(|(r, _)| r == role).count();
        assert_eq!(
            (of("main"), of("navigation") >= 1),
            (1, true),
            "{page}: {spoken:?}"
        );
        assert_eq!(desk.browser.count("h1"), 1, "{page}");
        assert!(desk.browser.title().ends_with(" · Hooklane"), "{page}");
        let nameless = spoken.iter().filter(|(role, name)| {
            let must = [
                "link",
                "button",
                "textbox",
                "checkbox",
                "combobox",
                "img",
                "image",
                "table",
                "progressbar",
                "radio",
            ];
            must.contains(&role.as_str()) && name.trim().is_empty()
        });
        assert_eq!(nameless.count(), 0, "{page}: {spoken:?}");
    }
}

#[test]
fn nothing_is_wider_than_its_place_on_a_phone_or_a_computer() {
    let desk = Desk::with(&letters());
    desk.scan();
    for (device, width) in [("phone", 360), ("computer", 1280)] {
        match device {
            "phone" => desk.browser.phone(),
            _ => desk.browser.desktop(),
        }
        for page in PAGES {
            desk.open(page);
            let wide = desk.browser.script(WIDE, vec![]);
            assert_eq!(wide, json!([]), "{page} on a {device}");
            let widths = "return [document.documentElement.scrollWidth, innerWidth];";
            let widths = desk.browser.script(widths, vec![]);
            assert_eq!(widths, json!([width, width]), "{page} on a {device}");
        }
    }
}

#[test]
fn the_page_is_dark_where_the_system_is_and_can_be_read_in_both() {
    let desk = Desk::with(&letters());
    desk.scan();
    for page in PAGES {
        desk.open(page);
        let mut grounds = Vec::new();
        for scheme in ["light", "dark"] {
            desk.browser.prefer(scheme);
            let faint = desk.browser.script(FAINT, vec![]);
            assert_eq!(faint, json!([]), "{page} {scheme}");
            let ground = "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number);";
            let ground = desk.browser.script(ground, vec![]);
            let ground: Vec<u32> = serde_json::from_value(ground).expect("a colour");
            grounds.push(ground.iter().sum::<u32>());
        }
        assert!(grounds[0] > 600 && grounds[1] < 150, "{page}: {grounds:?}");
    }
}

#[test]
fn without_scripts_the_page_does_the_same() {
    let desk = Desk::with(&[Letter::nth(0), Letter::nth(1)]);
    desk.browser.without_scripts();
    desk.scan();
    desk.browser.follow("Dead letters");
    desk.browser.fill("Contains", "event-1");
    desk.browser.press("Show");
    desk.browser.wait_for("#matches strong", "1 dead letter");
    desk.browser.follow("origin-1");
    desk.browser.wait_for_text("event-1");
}
