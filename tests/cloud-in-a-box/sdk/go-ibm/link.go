package main

import (
	"fmt"

	"github.com/IBM-Cloud/container-services-go-sdk/satellitelinkv1"
	"github.com/IBM/go-sdk-core/v5/core"
)

// link walks an endpoint and a source of the seed's location through the SDK (it knows no connectors), and leaves an
// endpoint behind for UKO; its address is the answer.
func (box *Box) link() string {
	service, err := satellitelinkv1.NewSatelliteLinkV1(&satellitelinkv1.SatelliteLinkV1Options{Authenticator: box.authenticator()})
	box.must("Link client", err)
	box.health(service)
	box.walk(service, box.Seed.Ibm.LocationID)
	address := box.endpoint(service, box.Seed.Ibm.LocationID)
	return address
}

func (box *Box) health(service *satellitelinkv1.SatelliteLinkV1) {
	location, _, err := service.GetLink(service.NewGetLinkOptions(box.Seed.Ibm.LocationID))
	box.must("get location", err)
	up := location.Performance != nil && *location.Performance.HealthStatus == "Up" && *location.Performance.Tunnels == 3
	box.check("the location is up", up, location.Performance)
}

func draft(service *satellitelinkv1.SatelliteLinkV1, location, name, host string) *satellitelinkv1.CreateEndpointsOptions {
	options := service.NewCreateEndpointsOptions(location)
	options.ConnType = core.StringPtr("location")
	options.DisplayName = core.StringPtr(name)
	options.ServerHost = core.StringPtr(host)
	options.ServerPort = core.Int64Ptr(443)
	options.ClientProtocol = core.StringPtr("tcp")
	options.ServerProtocol = core.StringPtr("tcp")
	options.Timeout = core.Int64Ptr(60)
	options.CreatedBy = core.StringPtr("sdk")
	return options
}

func (box *Box) walk(service *satellitelinkv1.SatelliteLinkV1, location string) {
	made, _, err := service.CreateEndpoints(draft(service, location, "walk", "walk.example.com"))
	box.must("create endpoint", err)
	box.check("a new endpoint has no address yet", made.ClientHost == nil && made.ClientPort == nil, made.ClientHost)
	_, response, err := service.CreateEndpoints(draft(service, location, "walk", "walk.example.com"))
	box.refused("a second endpoint of that name", response, err, 409)
	wrong := draft(service, location, "slow", "walk.example.com")
	wrong.Timeout = core.Int64Ptr(181)
	_, response, err = service.CreateEndpoints(wrong)
	box.refused("a timeout of 181 s", response, err, 400)

	change := service.NewUpdateEndpointsOptions(location, *made.EndpointID)
	change.ServerHost = core.StringPtr("other.example.com")
	change.Enabled = core.BoolPtr(false)
	changed, _, err := service.UpdateEndpoints(change)
	box.must("update endpoint", err)
	box.check("the change shows", *changed.ServerHost == "other.example.com" && *changed.Status == "disabled", *changed.Status)
	disabled, _, err := service.ListEndpoints(service.NewListEndpointsOptions(location).SetType("disabled"))
	box.must("list endpoints", err)
	box.check("the list filters by switch", len(disabled.Endpoints) == 1, len(disabled.Endpoints))

	box.sources(service, location, *made.EndpointID)
	removed, _, err := service.DeleteEndpoints(service.NewDeleteEndpointsOptions(location, *made.EndpointID))
	box.must("delete endpoint", err)
	box.check("delete says Success", *removed.Message == "Success", removed)
	_, response, err = service.GetEndpoints(service.NewGetEndpointsOptions(location, *made.EndpointID))
	box.refused("a deleted endpoint", response, err, 404)
}

func (box *Box) sources(service *satellitelinkv1.SatelliteLinkV1, location, endpoint string) {
	create := service.NewCreateSourcesOptions(location)
	create.Type = core.StringPtr("user")
	create.SourceName = core.StringPtr("walk")
	create.Addresses = []string{"10.0.0.0/8"}
	source, _, err := service.CreateSources(create)
	box.must("create source", err)
	create.SourceName = core.StringPtr("outside")
	create.Addresses = []string{"192.168.0.0/16"}
	_, response, err := service.CreateSources(create)
	box.refused("a source outside IBM's ranges", response, err, 400)

	update := service.NewUpdateSourcesOptions(location, *source.SourceID)
	update.Addresses = []string{"10.1.0.0/16", "166.8.0.0/14"}
	changed, _, err := service.UpdateSources(update)
	box.must("update source", err)
	box.check("the addresses are replaced", len(changed.Addresses) == 2, changed.Addresses)

	bind := service.NewUpdateEndpointSourcesOptions(location, endpoint)
	bind.Sources = []satellitelinkv1.SourceStatusRequestObject{{SourceID: source.SourceID, Enabled: core.BoolPtr(true)}}
	_, _, err = service.UpdateEndpointSources(bind)
	box.must("bind source", err)
	bound, _, err := service.ListEndpointSources(service.NewListEndpointSourcesOptions(location, endpoint))
	box.must("list bound sources", err)
	box.check("the endpoint shows its source", len(bound.Sources) == 1 && *bound.Sources[0].Enabled, bound.Sources)

	mirror := service.NewUpdateSourceEndpointsOptions(location, *source.SourceID)
	mirror.Endpoints = []satellitelinkv1.EndpointSourceStatusEndpointsItem{{EndpointID: &endpoint, Enabled: core.BoolPtr(false)}}
	_, _, err = service.UpdateSourceEndpoints(mirror)
	box.must("unbind from the other side", err)
	seen, _, err := service.ListSourceEndpoints(service.NewListSourceEndpointsOptions(location, *source.SourceID))
	box.must("list a source's endpoints", err)
	box.check("both sides agree", len(seen.Endpoints) == 1 && !*seen.Endpoints[0].Enabled, seen.Endpoints)

	_, _, err = service.DeleteSources(service.NewDeleteSourcesOptions(location, *source.SourceID))
	box.must("delete source", err)
	left, _, err := service.ListSources(service.NewListSourcesOptions(location))
	box.must("list sources", err)
	box.check("the source is gone", len(left.Sources) == 0, len(left.Sources))
}

// endpoint makes the endpoint that UKO shall use and reads it until it has an address.
func (box *Box) endpoint(service *satellitelinkv1.SatelliteLinkV1, location string) string {
	vault := box.Seed.Azure.Vaults.Premium.Name
	made, _, err := service.CreateEndpoints(draft(service, location, "payments", vault+"."+box.Seed.Azure.ZoneName))
	box.must("create UKO's endpoint", err)
	for range 10 {
		seen, _, err := service.GetEndpoints(service.NewGetEndpointsOptions(location, *made.EndpointID))
		box.must("get endpoint", err)
		if seen.ClientHost != nil && seen.ClientPort != nil {
			return fmt.Sprintf("%s:%d", *seen.ClientHost, *seen.ClientPort)
		}
	}
	box.must("an address within ten reads", fmt.Errorf("none"))
	return ""
}
