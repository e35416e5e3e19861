//! The providers by name, in order. Settings are named after what the provider's own console calls them.

use dns_update::DnsUpdater;
use dns_update::providers::azuredns::{AzureDnsConfig, AzureEnvironment};
use dns_update::providers::bluecatv2::BluecatV2Config;
use dns_update::providers::edgedns::EdgeDnsConfig;
use dns_update::providers::google_cloud_dns::GoogleCloudDnsConfig;
use dns_update::providers::infoblox::InfobloxConfig;
use dns_update::providers::joker::JokerAuth;
use dns_update::providers::lightsail::LightsailConfig;
use dns_update::providers::oraclecloud::OracleCloudConfig;
use dns_update::providers::route53::Route53Config;

use super::{Provider, TIMEOUT};

/// A provider whose settings are all needed, and are given to its constructor in this order.
macro_rules! by_keys {
    ($name:literal, $make:ident, $($key:literal),+) => {
        Provider {
            name: $name,
            needs: &[$($key),+],
            takes: &[],
            make: |given| DnsUpdater::$make($(given.get($key),)+ TIMEOUT),
        }
    };
}

/// All of them, in order.
pub const PROVIDERS: &[Provider] = &[
    Provider {
        name: "alidns",
        needs: &["access-key", "secret-key"],
        takes: &["region", "security-token", "line"],
        make: |given| {
            DnsUpdater::new_alidns(
                given.get("access-key"),
                given.get("secret-key"),
                given.maybe("region"),
                given.maybe("security-token"),
                given.maybe("line"),
                TIMEOUT,
            )
        },
    },
    by_keys!("arvancloud", new_arvancloud, "api-key"),
    Provider {
        name: "azuredns",
        needs: &["tenant-id", "client-id", "client-secret", "subscription-id", "resource-group"],
        takes: &["environment"],
        make: |given| {
            DnsUpdater::new_azuredns(AzureDnsConfig {
                tenant_id: given.text("tenant-id"),
                client_id: given.text("client-id"),
                client_secret: given.text("client-secret"),
                subscription_id: given.text("subscription-id"),
                resource_group: given.text("resource-group"),
                environment: AzureEnvironment::from_str_lossy(given.get("environment")),
                request_timeout: TIMEOUT,
            })
        },
    },
    by_keys!("baiducloud", new_baiducloud, "access-key", "secret-key"),
    Provider {
        name: "bluecat",
        needs: &["url", "username", "password", "config", "view"],
        takes: &["skip-deploy"],
        make: |given| {
            DnsUpdater::new_bluecatv2(BluecatV2Config {
                server_url: given.text("url"),
                username: given.text("username"),
                password: given.text("password"),
                config_name: given.text("config"),
                view_name: given.text("view"),
                skip_deploy: given.is_on("skip-deploy"),
                request_timeout: TIMEOUT,
            })
        },
    },
    by_keys!("bunny", new_bunny, "api-key"),
    by_keys!("cloudflare", new_cloudflare, "token"),
    Provider {
        name: "cloudns",
        needs: &["auth-password"],
        takes: &["auth-id", "sub-auth-id"],
        make: |given| {
            DnsUpdater::new_cloudns(
                given.maybe("auth-id"),
                given.maybe("sub-auth-id"),
                given.get("auth-password"),
                TIMEOUT,
            )
        },
    },
    by_keys!("constellix", new_constellix, "api-key", "secret-key"),
    by_keys!("cpanel", new_cpanel, "url", "username", "token"),
    by_keys!("desec", new_desec, "token"),
    by_keys!("digitalocean", new_digitalocean, "token"),
    by_keys!("dnsimple", new_dnsimple, "token", "account-id"),
    by_keys!("dnsmadeeasy", new_dnsmadeeasy, "api-key", "api-secret"),
    by_keys!("domeneshop", new_domeneshop, "token", "secret"),
    by_keys!("dreamhost", new_dreamhost, "api-key"),
    by_keys!("dynu", new_dynu, "api-key"),
    by_keys!("easydns", new_easydns, "token", "key"),
    Provider {
        name: "edgedns",
        needs: &["host", "client-token", "client-secret", "access-token"],
        takes: &["account-switch-key"],
        make: |given| {
            DnsUpdater::new_edgedns(EdgeDnsConfig {
                host: given.text("host"),
                client_token: given.text("client-token"),
                client_secret: given.text("client-secret"),
                access_token: given.text("access-token"),
                account_switch_key: given.maybe_text("account-switch-key"),
                request_timeout: TIMEOUT,
            })
        },
    },
    by_keys!("exoscale", new_exoscale, "api-key", "api-secret"),
    by_keys!("gandi", new_gandiv5, "token"),
    by_keys!("gcore", new_gcore, "token"),
    by_keys!("glesys", new_glesys, "username", "api-key"),
    by_keys!("godaddy", new_godaddy, "api-key", "api-secret"),
    Provider {
        name: "google",
        needs: &["service-account", "project"],
        takes: &["managed-zone", "private-zone", "impersonate"],
        make: |given| {
            DnsUpdater::new_google_cloud_dns(GoogleCloudDnsConfig {
                service_account_json: given.text("service-account"),
                project_id: given.text("project"),
                managed_zone: given.maybe_text("managed-zone"),
                private_zone: given.is_on("private-zone"),
                impersonate_service_account: given.maybe_text("impersonate"),
                request_timeout: TIMEOUT,
            })
        },
    },
    by_keys!("hetzner", new_hetzner, "token"),
    by_keys!("hostingde", new_hostingde, "api-key"),
    by_keys!("hostinger", new_hostinger, "token"),
    by_keys!("huaweicloud", new_huaweicloud, "access-key", "secret-key", "region"),
    by_keys!("ibmcloud", new_ibmcloud, "username", "api-key"),
    Provider {
        name: "infoblox",
        needs: &["host", "username", "password"],
        takes: &["port", "wapi-version", "dns-view"],
        make: |given| {
            DnsUpdater::new_infoblox(InfobloxConfig {
                host: given.text("host"),
                port: given.maybe_text("port"),
                username: given.text("username"),
                password: given.text("password"),
                wapi_version: given.maybe_text("wapi-version"),
                dns_view: given.maybe_text("dns-view"),
                request_timeout: TIMEOUT,
            })
        },
    },
    by_keys!("infomaniak", new_infomaniak, "token"),
    Provider {
        name: "inwx",
        needs: &["username", "password"],
        takes: &[],
        make: |given| DnsUpdater::new_inwx(given.get("username"), given.get("password"), false, TIMEOUT),
    },
    by_keys!("ionos", new_ionos, "api-key"),
    by_keys!("ipv64", new_ipv64, "api-key"),
    Provider {
        name: "joker",
        needs: &["api-key"],
        takes: &[],
        make: |given| DnsUpdater::new_joker(JokerAuth::api_key(given.get("api-key")), TIMEOUT),
    },
    Provider {
        name: "lightsail",
        needs: &["access-key-id", "secret-access-key"],
        takes: &["session-token", "region", "domain"],
        make: |given| {
            DnsUpdater::new_lightsail(LightsailConfig {
                access_key_id: given.text("access-key-id"),
                secret_access_key: given.text("secret-access-key"),
                session_token: given.maybe_text("session-token"),
                region: given.maybe_text("region"),
                domain: given.maybe_text("domain"),
                request_timeout: TIMEOUT,
            })
        },
    },
    by_keys!("linode", new_linode, "token"),
    by_keys!("luadns", new_luadns, "username", "token"),
    by_keys!("mythicbeasts", new_mythicbeasts, "username", "password"),
    Provider {
        name: "namecheap",
        needs: &["api-user", "api-key", "client-ip"],
        takes: &["username"],
        make: |given| {
            DnsUpdater::new_namecheap(
                given.get("api-user"),
                given.get("api-key"),
                given.get("client-ip"),
                given.maybe("username"),
                TIMEOUT,
            )
        },
    },
    by_keys!("namedotcom", new_namedotcom, "username", "token"),
    by_keys!("namesilo", new_namesilo, "api-key"),
    by_keys!("netcup", new_netcup, "customer-number", "api-key", "api-password"),
    by_keys!("netlify", new_netlify, "token"),
    by_keys!("nifcloud", new_nifcloud, "access-key", "secret-key"),
    by_keys!("ns1", new_ns1, "api-key"),
    Provider {
        name: "oraclecloud",
        needs: &["tenancy", "user", "fingerprint", "private-key", "region", "compartment"],
        takes: &["private-key-password"],
        make: |given| {
            DnsUpdater::new_oraclecloud(OracleCloudConfig {
                tenancy_ocid: given.text("tenancy"),
                user_ocid: given.text("user"),
                fingerprint: given.text("fingerprint"),
                private_key_pem: given.text("private-key"),
                private_key_password: given.maybe_text("private-key-password"),
                region: given.text("region"),
                compartment_ocid: given.text("compartment"),
                request_timeout: TIMEOUT,
            })
        },
    },
    Provider {
        name: "ovh",
        needs: &["application-key", "application-secret", "consumer-key"],
        takes: &["endpoint"],
        make: |given| {
            DnsUpdater::new_ovh(
                given.get("application-key"),
                given.get("application-secret"),
                given.get("consumer-key"),
                given.maybe("endpoint").unwrap_or("ovh-eu").parse()?,
                TIMEOUT,
            )
        },
    },
    Provider {
        name: "pdns",
        needs: &["url", "api-key"],
        takes: &["server"],
        make: |given| {
            DnsUpdater::new_pdns(given.get("api-key"), Some(given.get("url")), given.maybe("server"), TIMEOUT)
        },
    },
    by_keys!("plesk", new_plesk, "url", "api-key"),
    by_keys!("porkbun", new_porkbun, "api-key", "secret-api-key"),
    Provider {
        name: "route53",
        needs: &["access-key-id", "secret-access-key"],
        takes: &["session-token", "region", "hosted-zone-id", "private-zone-only", "endpoint"],
        make: |given| {
            DnsUpdater::new_route53(Route53Config {
                access_key_id: given.text("access-key-id"),
                secret_access_key: given.text("secret-access-key"),
                session_token: given.maybe_text("session-token"),
                region: given.maybe_text("region"),
                hosted_zone_id: given.maybe_text("hosted-zone-id"),
                private_zone_only: Some(given.is_on("private-zone-only")),
                endpoint: given.maybe_text("endpoint"),
            })
        },
    },
    by_keys!("safedns", new_safedns, "token"),
    by_keys!("scaleway", new_scaleway, "token"),
    by_keys!("selectel", new_selectel, "username", "password", "account-id", "project-id"),
    by_keys!("simplycom", new_simplycom, "account", "api-key"),
    by_keys!("spaceship", new_spaceship, "api-key", "api-secret"),
    Provider {
        name: "tencentcloud",
        needs: &["secret-id", "secret-key"],
        takes: &["region", "session-token"],
        make: |given| {
            DnsUpdater::new_tencentcloud(
                given.get("secret-id"),
                given.get("secret-key"),
                given.maybe("region"),
                given.maybe("session-token"),
                TIMEOUT,
            )
        },
    },
    Provider {
        name: "transip",
        needs: &["login", "private-key"],
        takes: &[],
        make: |given| DnsUpdater::new_transip(given.get("login"), given.get("private-key"), true, TIMEOUT),
    },
    Provider {
        name: "ultradns",
        needs: &["username", "password"],
        takes: &["endpoint"],
        make: |given| {
            DnsUpdater::new_ultradns(
                given.get("username"),
                given.get("password"),
                given.maybe_text("endpoint"),
                TIMEOUT,
            )
        },
    },
    Provider {
        name: "vercel",
        needs: &["token"],
        takes: &["team-id"],
        make: |given| DnsUpdater::new_vercel(given.get("token"), given.maybe("team-id"), TIMEOUT),
    },
    by_keys!("vultr", new_vultr, "api-key"),
    by_keys!("websupport", new_websupport, "api-key", "secret"),
    by_keys!("zoneeu", new_zoneeu, "username", "api-key"),
];
